/** What KEDA asks, by a client generated from its own proto. */
import { credentials, Metadata } from '@grpc/grpc-js'
import * as keda from '@offstage/proto/scaling'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const TARGET = { target: '10' }

function connect(address: string, user = 'keda:scaler') {
  const client = new keda.ExternalScalerClient(address, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set('offstage-user', user)
  const refOf = (scalerMetadata: Record<string, string>) => ({
    name: 'executor',
    namespace: 'offstage',
    scalerMetadata: { scalerAddress: address, enableTLS: 'true', ...scalerMetadata },
  })
  type Callback<T> = (error: Error | null, answer: T) => void
  const call = <T>(send: (callback: Callback<T>) => unknown) =>
    new Promise<T>((resolve, reject) => {
      send((error, answer) => (error === null ? resolve(answer) : reject(error)))
    })
  return {
    async isActive(terms: Record<string, string> = TARGET) {
      const { result } = await call<keda.IsActiveResponse>((done) =>
        client.isActive(refOf(terms), metadata, done),
      )
      return result
    },
    async specs(terms: Record<string, string>) {
      const { metricSpecs } = await call<keda.GetMetricSpecResponse>((done) =>
        client.getMetricSpec(refOf(terms), metadata, done),
      )
      return metricSpecs
    },
    async value(metricName: string, terms: Record<string, string> = TARGET) {
      const request = { scaledObjectRef: refOf(terms), metricName }
      const { metricValues } = await call<keda.GetMetricsResponse>((done) =>
        client.getMetrics(request, metadata, done),
      )
      return metricValues[0]?.metricValueFloat
    },
    /** What the stream of activity has said so far. */
    watch(terms: Record<string, string> = TARGET) {
      const told: boolean[] = []
      const stream = client.streamIsActive(refOf(terms), metadata)
      stream.on('data', ({ result }: keda.IsActiveResponse) => told.push(result))
      stream.on('error', () => {})
      return { told, [Symbol.dispose]: () => stream.cancel() }
    },
    specStream(terms: Record<string, string>) {
      const stream = client.streamMetricSpec(refOf(terms), metadata)
      stream.on('error', () => {})
      return stream
    },
    [Symbol.dispose]: () => client.close(),
  }
}

async function begin() {
  const it = await start({ config: { sessionLeaseMs: 10_000 } })
  return { ...it, scaler: connect(it.address), namespaces: connectNamespaces(it.address) }
}

test('a job wakes executors from none, and they are let go once nothing is left', async () => {
  await using it = await begin()
  using scaler = it.scaler
  using namespaces = it.namespaces
  // Known from an executor that has been here before.
  await (await attachExecutor(it.address, { methods: ['test.job'] }))[Symbol.asyncDispose]()
  expect(await scaler.isActive()).toBe(false)
  using watch = scaler.watch()
  await until(() => watch.told.length === 1)

  const { jobId } = await it.jobs.start({ method: 'test.job' })
  await until(() => watch.told.length === 2)
  expect(await scaler.isActive()).toBe(true)
  expect(await scaler.value('jobs')).toBe(1)
  expect(await scaler.value('oldest_seconds')).toBeGreaterThan(0)

  await using executor = await attachExecutor(it.address, { methods: ['test.job'] })
  await executor.assigned(1)
  // Busy executors stay, whatever is held back meanwhile.
  await namespaces.pauseMethod('test.job')
  await until(async () => (await scaler.value('oldest_seconds')) === 0)
  expect(await scaler.value('jobs')).toBe(1)
  expect(await scaler.isActive()).toBe(true)

  executor.succeed(...executor.assignments)
  await it.jobs.wait([jobId])
  await until(async () => !(await scaler.isActive()), { timeoutMs: 15_000 })
  await until(() => watch.told.length === 3, { timeoutMs: 15_000 })
  expect(watch.told).toEqual([false, true, false])
})

test('jobs are counted for the methods and the namespace of a trigger, and not while they are paused', async () => {
  await using it = await begin()
  using scaler = it.scaler
  using namespaces = it.namespaces
  const methods = ['reports.day', 'reports.month', 'books.close', 'mail.send']
  await using _ = await attachExecutor(it.address, { methods, slots: 0 })
  for (const method of [...methods, 'mail.send']) await it.jobs.start({ method })
  await namespaces.pauseMethod('reports.month')
  const terms = (methods: string, more = {}) => ({ ...TARGET, methods, ...more })
  expect(await scaler.value('jobs', TARGET)).toBe(4)
  expect(await scaler.value('jobs', terms('reports.*'))).toBe(1)
  expect(await scaler.value('jobs', terms('reports.*, mail.send'))).toBe(3)
  expect(await scaler.isActive(terms('reports.month'))).toBe(false)
  expect(await scaler.value('jobs', terms('*', { namespace: 'elsewhere' }))).toBe(0)
})

test('jobs are counted for the pools of a trigger, the default one where it names none', async () => {
  await using it = await begin()
  using scaler = it.scaler
  using namespaces = it.namespaces
  await using _ = await attachExecutor(it.address, { slots: 0 })
  await namespaces.pausePool('tpu')
  for (const pool of ['', 'gpu', 'gpu', 'eu-west', 'eu-east', 'tpu'])
    await it.jobs.start({ method: 'test.job', pool })
  const jobs = (pools: string) => scaler.value('jobs', { ...TARGET, pools })
  expect(await scaler.value('jobs', TARGET)).toBe(1)
  expect(await jobs('gpu')).toBe(2)
  expect(await jobs('gpu, default')).toBe(3)
  expect(await jobs('eu-*')).toBe(2)
  expect(await jobs('*')).toBe(5)
  expect(await scaler.isActive({ ...TARGET, pools: 'tpu' })).toBe(false)
})

test('what each executor is for becomes the target of a metric', async () => {
  await using it = await begin()
  using scaler = it.scaler
  it.namespaces[Symbol.dispose]()
  const jobs = { metricName: 'jobs', targetSize: 3n, targetSizeFloat: 2.5 }
  const oldest = { metricName: 'oldest_seconds', targetSize: 60n, targetSizeFloat: 60 }
  expect(await scaler.specs({ target: '2.5' })).toEqual([jobs])
  expect(await scaler.specs({ target: '2.5', oldestSeconds: '60' })).toEqual([jobs, oldest])
  const stream = scaler.specStream({ oldestSeconds: '60' })
  const first = await new Promise((resolve) => stream.once('data', resolve))
  expect(first).toEqual({ metricSpecs: [oldest] })
  stream.cancel()
})

test('a trigger that is wrong is told what to change', async () => {
  await using it = await begin()
  using scaler = it.scaler
  it.namespaces[Symbol.dispose]()
  const refused = (terms: Record<string, string>, text: string) =>
    expect(scaler.specs(terms)).rejects.toThrow(text)
  await refused({}, 'scalerMetadata.target must be there')
  await refused({ target: '0' }, 'scalerMetadata.target must be a number above 0')
  for (const target of ['-1', '1e300', 'Infinity', '9223372036854775808', 'ten', ' '])
    await refused({ target }, 'scalerMetadata.target must be a number above 0, and 1e12 at most')
  const many = Array.from({ length: 5_000 }, (_, index) => [`key${index}`, 'x'])
  await refused(Object.fromEntries(many), 'scalerMetadata.key0 is not known')
  await refused({ target: '1', oldestSeconds: 'x' }, 'scalerMetadata.oldestSeconds must be')
  await refused(
    { target: '1', method: 'a' },
    'scalerMetadata.method is not known; there are namespace,',
  )
  await refused({ target: '1', methods: 'a,,b' }, 'scalerMetadata.methods must be')
  await refused({ target: '1', pools: 'gpu,' }, 'scalerMetadata.pools must be')
  await expect(scaler.value('lag')).rejects.toThrow('metricName must be jobs or oldest_seconds')
  using user = connect(it.address, 'ann:user')
  await expect(user.isActive()).rejects.toThrow('needs one of the roles admin')
})
