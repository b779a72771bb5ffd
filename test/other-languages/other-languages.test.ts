/** Executors and clients in other languages, from the proto files alone: against the protocol, and with the real services. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Offstage } from '@offstage/sdk'
import { spawnProcess, until } from '@offstage/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startExecutorProcess } from '../conformance/executor-process.ts'
import { allFaults, runSuite } from '../conformance/suite.ts'
import { tampered } from '../conformance/tampered.ts'
import { goPrograms, has, python, root } from './programs.ts'

const run = promisify(execFile)
/** What they need is fetched and built the first time. */
const TIMEOUT_MS = 600_000

interface Language {
  readonly name: string
  /** What runs the executor of the example, and what runs its client. */
  make(): Promise<{ readonly executor: string; readonly client: string }>
}

const LANGUAGES: readonly Language[] = [
  {
    name: 'python',
    async make() {
      const program = await python()
      const of = (file: string) => `'${program}' '${join(root, 'examples/python', file)}'`
      return { executor: of('conformance_executor.py'), client: of('use_client.py') }
    },
  },
  {
    name: 'go',
    async make() {
      const folder = await goPrograms()
      return {
        executor: `'${join(folder, 'conformance-executor')}'`,
        client: `'${join(folder, 'use-client')}'`,
      }
    },
  },
].filter(({ name }) => has(name === 'python' ? 'python3' : name))

async function startServices() {
  const resources = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'offstage-other-languages-'))
  resources.defer(() => rm(folder, { recursive: true, force: true }))
  const jobs = join(root, 'test/other-languages/client-jobs.ts')
  const services = await spawnProcess({
    main: join(root, 'cli/src/main.ts'),
    args: ['dev', '--jobs', jobs, '--port-base', '0', '--data-dir', join(folder, 'data')],
    ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    readyTimeoutMs: 180_000,
  })
  resources.use(services)
  const [, scheduler = '', storage = ''] = services.ready
  const env = { OFFSTAGE_SCHEDULER: scheduler, OFFSTAGE_STORAGE: storage }
  return { scheduler, storage, env, folder, close: () => resources.disposeAsync() }
}

let services: Awaited<ReturnType<typeof startServices>>
beforeAll(async () => {
  if (LANGUAGES.length > 0) services = await startServices()
}, TIMEOUT_MS)
afterAll(() => services?.close())

describe.each(LANGUAGES)('$name', ({ name, make }) => {
  let made: Awaited<ReturnType<Language['make']>>
  beforeAll(async () => {
    made = await make()
  }, TIMEOUT_MS)

  test('its executor keeps to every rule of the protocol that the suite holds', {
    timeout: 240_000,
  }, async () => {
    expect(await allFaults(made.executor)).toEqual([])
  })

  // By the one that starts fastest, for it is started anew for each.
  const badOne = async () => {
    const only = Object.keys(tampered)
    const unnoticed: string[] = []
    for await (const { number, fault } of runSuite({ executor: made.executor, only, tampered })) {
      if (fault === undefined) unnoticed.push(number)
    }
    expect(unnoticed).toEqual([])
  }
  if (name === 'go') test('a bad executor fails the scenario it does not keep to', badOne)

  test('its executor runs the jobs of a real scheduler', async () => {
    const { scheduler, storage, env, folder } = services
    const own = { ...env, OFFSTAGE_NAMESPACE: name }
    await using executor = startExecutorProcess(made.executor, own)
    await using offstage = await Offstage.connect({ scheduler, storage, namespace: name })
    const attached = async () => {
      const executors = []
      for await (const each of offstage.listExecutors()) executors.push(each)
      return executors
    }
    await until(async () => (await attached()).length > 0, {
      what: 'the executor is attached',
    })
    const greeting = await offstage.startJob('conformance.greet', { name: 'Ada' })
    expect(await greeting.value()).toBe('Hello Ada')
    const misfit = offstage.startJob('conformance.greet', { name: 7 })
    await expect(misfit).rejects.toMatchObject({ reason: 'PARAMS_INVALID' })
    const large = { text: 'é'.repeat(100_000) }
    const echo = await offstage.startJob('conformance.echo', large)
    expect(await echo.value()).toEqual(large)
    const fails = await offstage.startJob('conformance.fail', { retryable: false })
    await expect(fails.value()).rejects.toThrow('It was asked to fail.')
    const note = join(folder, `${name}.note`)
    const held = await offstage.startJob('conformance.hold', { note, gate: `${note}.gate` })
    await until(async () => (await held.refresh()).progress?.percent === 50, {
      what: 'the handler has begun',
    })
    await held.cancel({ reason: 'changed my mind' })
    const ended = { state: 'canceled', cancelOutcome: 'stopped' }
    expect(await held.waitForCompletion()).toMatchObject(ended)
    executor.leave()
    await executor.exited
    await until(async () => (await attached()).length === 0, {
      what: 'the executor has left',
    })
  })

  test('its client starts, waits, watches, tells of progress, cancels, and moves large values and CBOR', async () => {
    const env = { ...process.env, ...services.env }
    const { stdout } = await run('sh', ['-c', made.client], { env, timeout: 60_000 })
    expect(stdout.split('\n').filter(Boolean)).toEqual([
      'inline: Hello Ada',
      'message: counted 1',
      'message: counted 2',
      'message: counted 3',
      'watched: 3',
      'waited: 5',
      'progress: 50',
      'canceled: true',
      'large: 200001',
      'nothing: true',
      'cbor: 2361183241434822606848 00ff00ff',
      'refused: METHOD_UNKNOWN method',
      'refused: PARAMS_INVALID params.name',
      'failed: NonRetryableError There is no paper left.',
    ])
  })
})
