/** NATS that lets each service do what it needs, as docs/events.md has it, and NATS that lets a stranger do anything. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Bus, connectNats } from '@offstage/kit/bus'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { blocksOf } from '../docs/code-blocks.ts'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { double, family, sleep, steps } from './cluster/jobs.ts'
import { callingAs } from './guarded/access.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
/** What a stranger says again of what went by. */
const HEARD_MAX = 50
/** Between two rounds of everything. */
const ROUND_MS = 50
const PASSWORDS = { scheduler: 'of-scheduler', storage: 'of-storage' }

async function documentedPermissions(): Promise<string> {
  const [block = ''] = await blocksOf('docs/events.md', 'conf')
  return block
    .replace('$SCHEDULER_PASSWORD', `"${PASSWORDS.scheduler}"`)
    .replace('$STORAGE_PASSWORD', `"${PASSWORDS.storage}"`)
}

const urlOf = (service: 'scheduler' | 'storage', { port }: Cluster['nats']) =>
  `nats://${service}:${PASSWORDS[service]}@127.0.0.1:${port}`

test('all works under the permissions that are documented, and nobody has more', {
  timeout: 120_000,
}, async () => {
  await using cluster = await startCluster({
    jobs,
    schedulers: 2,
    executors: 2,
    storage: true,
    nats: { config: `${await documentedPermissions()}\ndebug: true` },
    envOf: (service, { nats }): NodeJS.ProcessEnv =>
      service === 'executor' ? {} : { OFFSTAGE_NATS_URL: urlOf(service, nats) },
  })
  const places = { storage: cluster.storage }
  await using first = await Offstage.connect({ ...places, scheduler: cluster.target() })
  await using second = await Offstage.connect({ ...places, scheduler: cluster.target(1) })
  const ofOperator = { ...places, scheduler: cluster.target(), ...callingAs('operator') }
  await using operator = await Offstage.connect(ofOperator)

  const started = await first.startJobs(steps, Array(8).fill({ count: 3, everyMs: 20 }))
  const ended = await second.waitAll(started.map(({ id }) => second.job(id)))
  expect(ended.finished).toHaveLength(8)
  expect(await second.run(family, { n: 21 })).toBe(42)
  await operator.pauseMethod('cluster.double')
  const held = await second.startJob(double, { n: 1 })
  await operator.resumeMethod('cluster.double')
  expect((await held.waitForCompletion()).state).toBe('succeeded')
  const asleep = await Promise.all(
    [1, 2, 3, 4].map(() => first.startJob(sleep, { forMs: 600_000 })),
  )
  await until(async () => (await asleep[0]?.refresh())?.state === 'running')
  for (const { id } of asleep) await second.job(id).cancel({ graceMs: 0 })
  for (const job of asleep) expect((await job.waitForCompletion()).state).toBe('canceled')

  const { nats } = cluster
  // It names a client at the first ping, some seconds after that has come: then all that was refused before is told, too.
  await until(() => /scheduler/.test(nats.log), { what: 'a line about the scheduler' })
  expect(nats.log).not.toMatch(/violation/i)
  for (const { process } of cluster.members)
    expect(process.stdout).not.toMatch(/a connection failed/)
  const refused: string[] = []
  const onError = (error: unknown) => refused.push(String(error))
  await using bus = await connectNats({ url: urlOf('storage', nats), onError })
  bus.publish('offstage.v1.default.gates.changed', 'x')
  await bus.flush()
  bus.subscribe('offstage.v1.default.values.put', () => {})
  await bus.flush()
  await until(() => refused.length >= 2)
  expect(refused.join()).toMatch(
    /permissions violation.*publish.*permissions violation.*subscription/is,
  )
})

test('a stranger who forges every hint costs latency, never a wrong answer', {
  timeout: 120_000,
}, async () => {
  await using cluster = await startCluster({ jobs, schedulers: 2, executors: 2, storage: true })
  const places = { storage: cluster.storage }
  await using offstage = await Offstage.connect({ ...places, scheduler: cluster.target() })
  await using stranger = await connectNats({ url: cluster.nats.url })
  const heard = new Set<string>()
  stranger.subscribe('offstage.>', ({ subject }) => {
    if (heard.size < HEARD_MAX) heard.add(subject)
  })
  await stranger.flush()

  const asleep = await offstage.startJob(sleep, { forMs: 600_000 })
  await until(async () => (await asleep.refresh()).state === 'running')
  const waiting = asleep.waitForCompletion({ onProgress: (progress) => forged.push(progress) })
  const forged: unknown[] = []
  await using flood = forging(stranger, (n) => [...forgedHints(asleep.id, n), ...heard])
  const results = await offstage.runAll(
    double,
    Array.from({ length: 300 }, (_, n) => ({ n })),
  )
  expect(results).toEqual(Array.from({ length: 300 }, (_, n) => 2 * n))
  expect(await offstage.run(family, { n: 4 })).toBe(8)
  expect(await asleep.refresh()).toMatchObject({ state: 'running', attempt: 1 })
  await asleep.cancel({ graceMs: 0, reason: 'asked for' })
  expect((await waiting).state).toBe('canceled')
  expect((await asleep.refresh()).attempt).toBe(1)
  expect(forged).toEqual([])
  expect(flood.rounds()).toBeGreaterThan(0)
  expect(heard.size).toBeGreaterThan(0)
})

const HINTS = [
  'scheduled',
  'queued',
  'running',
  'waiting',
  'succeeded',
  'failed',
  'canceled',
  'progress',
  'messages',
]

/** Publishes rubbish on the subjects, round after round, until it is disposed of. */
function forging(stranger: Bus, subjects: (n: number) => string[]) {
  const over = new AbortController()
  let rounds = 0
  const ended = (async () => {
    for (; !over.signal.aborted; rounds += 1) {
      const rubbish = Buffer.from(`{"state":"failed","address":"${'x'.repeat(rounds % 50)}\0`)
      for (const subject of subjects(rounds)) {
        stranger.publish(subject, rubbish, { traceparent: 'garbage' })
      }
      await stranger.flush()
      await pause(ROUND_MS)
    }
  })()
  return {
    rounds: () => rounds,
    async [Symbol.asyncDispose]() {
      over.abort()
      await ended
    },
  }
}

/** One of every kind, about a job that is there and about things that are not. */
function forgedHints(jobId: string, n: number): string[] {
  return [
    ...HINTS.map((hint) => `offstage.v1.default.jobs.${jobId}.${hint}`),
    'offstage.v1.default.queues.cluster.double.ready',
    `offstage.v1.default.queues.forged.m${n}.ready`,
    'offstage.v1.default.gates.changed',
    `offstage.v1.ns${n}.gates.changed`,
    `offstage.v1.executors.${jobId}.cancel`,
    'offstage.v1.default.values.deleted',
    'offstage.v1.default.nonsense',
  ]
}
