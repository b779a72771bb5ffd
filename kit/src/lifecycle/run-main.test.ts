import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnProcess } from '@offstage/testkit'
import { expect, test } from 'vitest'

const LIFECYCLE = new URL('./mod.ts', import.meta.url).href
const CONFIG = new URL('../config/mod.ts', import.meta.url).href

/** Runs a main file whose service says what happens to it. */
async function main(spec: { build?: string; start?: string; stop?: string; options?: string }) {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-main-'))
  const file = join(folder, 'main.ts')
  await writeFile(
    file,
    `import { createService, runMain } from '${LIFECYCLE}'
     import { ConfigError, UnavailableError } from '${CONFIG}'
     await runMain('demo', async () => {
       ${spec.build ?? ''}
       return createService({
         name: 'demo',
         start: async (signal) => { ${spec.start ?? ''}; console.log('up') },
         stop: async () => { console.log('stopping'); ${spec.stop ?? ''} },
       })
     }, ${spec.options ?? '{}'})`,
  )
  const running = await spawnProcess({ main: file, ready: /^up$|^demo: / })
  return {
    running,
    [Symbol.asyncDispose]: async () => {
      await running[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

test.for(['SIGTERM', 'SIGINT'] as const)(
  '%s stops the service and exits with 0',
  async (signal) => {
    await using it = await main({})
    expect(await it.running.kill(signal)).toEqual({ code: 0, signal: null })
    expect(it.running.stdout).toBe('up\nstopping\n')
    expect(it.running.stderr).toBe('')
  },
)

test('a signal during the start aborts it and exits with 0', async () => {
  await using it = await main({
    start: `console.error('demo: starting')
      await new Promise((_, reject) => signal.onabort = () => reject(signal.reason))`,
  })
  expect(await it.running.kill()).toEqual({ code: 0, signal: null })
  expect(it.running.stdout).toBe('stopping\n')
})

test('a configuration error is printed without a stack and exits with 78', async () => {
  await using it = await main({
    build: `throw new ConfigError([{ variable: 'PORT', problem: 'is not a port' }])`,
  })
  expect(await it.running.exited).toEqual({ code: 78, signal: null })
  expect(it.running.stderr).toBe('demo: the configuration is not valid:\n  PORT: is not a port\n')
})

test('what is not to be had yet is named without a stack and exits with 69', async () => {
  await using it = await main({ start: `throw new UnavailableError('DB_URL', 'nobody answers')` })
  expect(await it.running.exited).toEqual({ code: 69, signal: null })
  expect(it.running.stderr).toBe('demo: DB_URL: nobody answers\n')
})

test('a failed start is printed with its stack and exits with 1', async () => {
  await using it = await main({ start: `throw new Error('port taken')` })
  expect(await it.running.exited).toEqual({ code: 1, signal: null })
  expect(it.running.stderr).toMatch(/^demo: Error: port taken\n +at /)
})

test('a failed stop exits with 1', async () => {
  await using it = await main({ stop: `throw new Error('stuck')` })
  expect(await it.running.kill()).toEqual({ code: 1, signal: null })
  expect(it.running.stderr).toContain('stuck')
})

test('a stop that takes too long exits with 1', async () => {
  await using it = await main({
    stop: 'await new Promise(() => {})',
    options: '{ stopTimeoutMs: 20 }',
  })
  expect(await it.running.kill()).toEqual({ code: 1, signal: null })
  expect(it.running.stderr).toContain('still stopping after 20 ms')
})

test('a second signal exits at once with 130', async () => {
  await using it = await main({ stop: 'await new Promise(() => {})' })
  it.running.signal('SIGTERM')
  await expect.poll(() => it.running.stdout).toContain('stopping')
  expect(await it.running.kill('SIGINT')).toEqual({ code: 130, signal: null })
})

test.for([
  ['a promise nobody hears', `Promise.reject(new Error('lost'))`, 'unhandledRejection'],
  ['a callback', `setImmediate(() => { throw new Error('lost') })`, 'uncaughtException'],
] as const)(
  'an error out of %s is printed with its origin and exits with 1',
  async ([, start, origin]) => {
    await using it = await main({ start: `${start}; await new Promise(() => {})` })
    expect(await it.running.exited).toEqual({ code: 1, signal: null })
    expect(it.running.stderr).toMatch(
      new RegExp(`^demo: ended by an error nobody handled \\(${origin}\\): Error: lost\n +at `),
    )
  },
)
