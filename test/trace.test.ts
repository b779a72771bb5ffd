import { connectNats } from '@offstage/kit/bus'
import { openPostgres } from '@offstage/kit/database'
import { startTelemetry, traced } from '@offstage/kit/telemetry'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import { startCollector } from './cluster/collector.ts'
import { family } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)

test('one trace holds the caller, the scheduler, the executor, a child job and storage together', async () => {
  await using collector = await startCollector()
  const env = { OFFSTAGE_OTLP_ENDPOINT: collector.endpoint }
  await using cluster = await startCluster({
    jobs,
    schedulers: 1,
    executors: 1,
    storage: true,
    env,
  })
  await using telemetry = startTelemetry({
    serviceName: 'caller',
    otlpEndpoint: collector.endpoint,
  })
  await telemetry.start()
  await using bus = await connectNats({ url: cluster.nats.url })
  const headers: (string | undefined)[] = []
  bus.subscribe('offstage.v1.*.jobs.*.succeeded', (event) =>
    headers.push(event.headers.traceparent),
  )
  await bus.flush()
  await using offstage = await Offstage.connect({
    scheduler: cluster.target(),
    storage: cluster.storage,
  })

  const traceId = await traced('caller', {}, async (span) => {
    expect(await offstage.run(family, { n: 21 })).toBe(42)
    return span.spanContext().traceId
  })

  await until(() => headers.length === 2)
  expect(headers.map((traceparent) => traceparent?.split('-')[1])).toEqual([traceId, traceId])
  await using database = await openPostgres({ url: cluster.databaseUrl })
  const text = 'SELECT method, traceparent FROM offstage.jobs ORDER BY id'
  const { rows } = await database.query<{ method: string; traceparent: string }>({ name: '', text })
  expect(rows.map(({ traceparent }) => traceparent.split('-')[1])).toEqual([traceId, traceId])

  // Spans are exported in batches; a graceful stop hands over the rest.
  await telemetry.stop()
  for (const { process } of [...cluster.executors, ...cluster.schedulers]) await process.kill()
  const wanted = [
    'caller caller',
    'offstage-executor run cluster.double',
    'offstage-executor run cluster.family',
    'offstage-scheduler offstage.jobs.v1.JobService/StartJob',
    'offstage-scheduler offstage.jobs.v1.JobService/StartJobs',
    'offstage-storage offstage.storage.v1.StorageService/DeleteValue',
    'offstage-storage offstage.storage.v1.StorageService/PutValue',
  ]
  const own = () => collector.spans.filter((span) => span.traceId === traceId)
  const names = () => new Set(own().map(({ service, name }) => `${service} ${name}`))
  await until(() => wanted.every((name) => names().has(name)), {
    timeoutMs: 15_000,
    what: `all of ${wanted.join(', ')}`,
  }).catch((error) => {
    throw new Error(`only ${[...names()].sort().join(', ')}`, { cause: error })
  })
  const ids = new Set(own().map(({ spanId }) => spanId))
  const orphans = own().filter(({ parentId, name }) => name !== 'caller' && !ids.has(parentId))
  expect(orphans).toEqual([])
}, 60_000)
