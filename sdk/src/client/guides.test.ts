/** Compiles every TypeScript snippet of the guides about jobs, each as a module of its own. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const GUIDES = ['writing-jobs.md', 'starting-jobs.md']
const ROOT = new URL('../../../', import.meta.url)
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = fileURLToPath(new URL('../../.offstage/', import.meta.url))

/** Compiles modules by name; resolves to what the compiler says, empty where all is well. */
async function compile(modules: ReadonlyMap<string, string>): Promise<string> {
  await mkdir(SCRATCH, { recursive: true })
  const folder = await mkdtemp(`${SCRATCH}compile-`)
  try {
    for (const [name, code] of modules) await writeFile(`${folder}/${name}`, code)
    const config = { extends: fileURLToPath(new URL('tsconfig.json', ROOT)), include: ['*.ts'] }
    await writeFile(`${folder}/tsconfig.json`, JSON.stringify(config))
    const tsc = fileURLToPath(new URL('node_modules/typescript/bin/tsc', ROOT))
    await promisify(execFile)(process.execPath, [tsc, '-p', folder], { timeout: 60_000 })
    return ''
  } catch (error) {
    if (!(error instanceof Error && 'stdout' in error)) throw error
    // What is wrong in the modules they import is told by the type check of the whole.
    const lines = String(error.stdout).split('\n')
    return lines.filter((line) => line.includes(basename(folder))).join('\n')
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function snippets(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const guide of GUIDES) {
    const page = await readFile(new URL(`docs/guides/${guide}`, ROOT), 'utf8')
    for (const match of page.matchAll(/^```ts\n(.*?)^```$/gms)) {
      const line = page.slice(0, match.index).split('\n').length + 1
      const code = match[1] ?? ''
      // One that others import says its name first.
      const name = /^\/\/ ([a-z-]+\.ts)$/m.exec(code.split('\n', 1)[0] ?? '')?.[1]
      found.set(name ?? `${guide}-line-${line}.ts`, code)
    }
  }
  return found
}

/** One that does not compile, so that it shows that those which do not are told. */
const WRONG =
  "import { Offstage } from '@offstage/sdk'\nawait Offstage.connect({ schedular: '' })\n"

test('every snippet of the guides compiles', { timeout: 90_000 }, async () => {
  const modules = await snippets()
  expect(modules.size).toBeGreaterThanOrEqual(12)
  const told = (await compile(modules.set('wrong.ts', WRONG))).split('\n')
  expect(told).toEqual([expect.stringMatching(/\/wrong\.ts\(2,26\): .*schedular/)])
})

test('a caller of the guides loads no handler, with the method or the type of a job', async () => {
  const modules = await snippets()
  const loaded = new Set<string>()
  const load = (name: string) => {
    loaded.add(name)
    const code = stripTypeScriptTypes(modules.get(name) ?? '')
    for (const [, imported = ''] of code.matchAll(/from '\.\/([^']+)'/g)) load(imported)
  }
  load('caller.ts')
  expect(modules.get('caller.ts')).toContain("from './jobs.ts'")
  expect([...loaded]).toEqual(['caller.ts', 'methods.ts'])
})
