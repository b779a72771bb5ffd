/** What modules take of the place where they lie, told to those that come to lie in a bundle. */
import { join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const FOLDER = join(ROOT, '.offstage/bundles')

/** Of handler threads and processes, and of what goes with these. */
export const THREADS_FOLDER = join(FOLDER, 'threads')
export const THREAD_ENTRIES = [
  'services/executor/src/run/thread.ts',
  'services/executor/src/run/process.ts',
  'services/executor/src/relay/relay-thread.ts',
]
const SHARED_MODULES = 'scripts/bundles/shared-modules.ts'
/** Where these believe to be, who go by it: Offstage's frames are those of the whole bundle, and the SDK is in it. */
const MOVED: Readonly<Record<string, string>> = {
  'sdk/src/jobs/own-frames.ts': 'jobs/own-frames.js',
  [SHARED_MODULES]: 'shared-modules.js',
}

/** As rolldown and Vite have it. */
interface Transforming {
  readonly name: string
  readonly enforce: 'pre'
  transform(code: string, id: string): string | undefined
}

/** What lies beside a module, such as migrations, stays where it is; threads are those of their bundle. */
export const places: Transforming = {
  name: 'places of the sources',
  enforce: 'pre',
  transform(code, id) {
    if (!code.includes('import.meta.url')) return undefined
    return withBundledThreads(code, id).replaceAll('import.meta.url', urlOf(id))
  },
}

/** For modules that are not bundled themselves. */
export const bundledThreads: Transforming = {
  name: 'bundled threads',
  enforce: 'pre',
  transform(code, id) {
    return code.includes('import.meta.url') ? withBundledThreads(code, id) : undefined
  },
}

/** A module of a thread's bundle. */
export const inThreads: Transforming = {
  name: 'modules of threads',
  enforce: 'pre',
  transform(code, id) {
    const path = relative(ROOT, id)
    const moved = MOVED[path]
    if (moved !== undefined) {
      return code.replaceAll('import.meta.url', urlOf(join(THREADS_FOLDER, moved)))
    }
    if (!THREAD_ENTRIES.includes(path)) return undefined
    return `import ${JSON.stringify(join(ROOT, SHARED_MODULES))}\n${code}`
  },
}

function withBundledThreads(code: string, id: string): string {
  return code.replaceAll(/new URL\('(\.[^']+)\.ts', import\.meta\.url\)/g, (text, path) => {
    const entry = relative(ROOT, join(id, '..', path))
    if (!THREAD_ENTRIES.includes(`${entry}.ts`)) return text
    return `new URL(${urlOf(join(THREADS_FOLDER, `${entry}.js`))})`
  })
}

function urlOf(path: string): string {
  return JSON.stringify(pathToFileURL(path).href)
}
