import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bundledThreads, inThreads, places, ROOT, THREAD_ENTRIES } from './plugins.ts'

const written = (path: string) => readFile(join(ROOT, path), 'utf8')

test.each([
  ['services/executor/src/lanes/thread-host.ts', 'run/thread.js'],
  ['services/executor/src/lanes/process-host.ts', 'run/process.js'],
  ['services/executor/src/relay/open-relay.ts', 'relay/relay-thread.js'],
])('%s names %s of the bundle, whether it is bundled itself or not', async (path, entry) => {
  for (const { transform } of [places, bundledThreads]) {
    const code = transform(await written(path), join(ROOT, path))
    expect(code).toContain(`/.offstage/bundles/threads/services/executor/src/${entry}"`)
  }
})

test('what lies beside a module is looked for where its source is', () => {
  const code = "readFile(new URL('./one.sql', import.meta.url))"
  expect(places.transform(code, '/repo/store/one.ts')).toBe(
    `readFile(new URL('./one.sql', "file:///repo/store/one.ts"))`,
  )
  expect(bundledThreads.transform(code, '/repo/store/one.ts')).toBe(code)
})

test('each thread shares the SDK of its bundle before it loads anything', async () => {
  for (const path of THREAD_ENTRIES) {
    const code = inThreads.transform(await written(path), join(ROOT, path))
    expect(code).toMatch(/^import ".*\/shared-modules\.ts"\n/)
  }
})

test('frames of the bundle are Offstage’s own', async () => {
  const path = 'sdk/src/jobs/own-frames.ts'
  const code = inThreads.transform(await written(path), join(ROOT, path))
  expect(code).toMatch(/new URL\('\.\.', "file:.*\/\.offstage\/bundles\/threads\/jobs\/[^/]+"\)/)
})
