/** The history is kept as long as it is set, and what is removed leaves nothing of itself behind (rows J12, S6). */
import { randomUUID } from 'node:crypto'
import { credentials } from '@grpc/grpc-js'
import { durationFrom } from '@offstage/proto/durations'
import { ExecutorServiceClient, ListDiscardedValuesRequest } from '@offstage/proto/executor'
import * as proto from '@offstage/proto/jobs'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import type { AttemptKey } from './domain/held-job.ts'
import { recordMessages, recordProgress } from './store/progress.ts'
import { createRetentionStore } from './store/retention.ts'
import { ask } from './testing/ask.ts'
import { clientOptions } from './testing/faults/faults.ts'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { type PastJobs, pastJobs, stillThere } from './testing/past-jobs.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { type Bundle, setup } from './testing/setup.ts'
import { updateNamespace } from './testing/update-namespace.ts'

const job = { method: 'test.job' }
const [PROGRAM, SYSTEM] = [1, 2]
const [SUCCEEDED, FAILED] = [5, 6]
const HOUR_MS = 3_600_000
const SWEEPING = { config: { retentionSweepMs: 40 } }
type It = Awaited<ReturnType<typeof start>>

const call = (it: It, rpc: 'deleteJob' | 'pinJob' | 'unpinJob', jobId: string, user = 'dev') =>
  ask(it.jobs.raw, it.jobs.raw[rpc], proto.DeleteJobRequest, { jobId }, user)

const rowsOf = async ({ database }: Pick<Bundle, 'database'>, text: string) =>
  (await database.query({ name: '', text })).rows

const leftOf = (it: It) =>
  rowsOf(
    it,
    `SELECT (SELECT count(*) FROM offstage.jobs) AS jobs, (SELECT count(*) FROM offstage.job_attempts) AS attempts,
       (SELECT count(*) FROM offstage.job_messages) AS messages, (SELECT count(*) FROM offstage.job_progress) AS progress`,
  )
const GROUP = { namespace: 'default', kind: 1, state: 5 } as const
const ALL_PAGES = { fromPage: 0, toPage: 1_000 }
const NOTHING = [{ jobs: 0, attempts: 0, messages: 0, progress: 0 }]

test('a finished job is removed with its attempts, messages, progress, and its values are to be discarded', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const [params, result] = [randomUUID(), randomUUID()].map((id) => `val_${id.replaceAll('-', '')}`)
  const { jobId } = await it.as('ann').start({
    ...job,
    params: { source: { $case: 'address', value: params ?? '' } },
    retryPolicy: { maxAttempts: 2, initialBackoff: durationFrom(1) },
  })
  await executor.assigned(1)
  executor.say({
    messages: [{ jobId, attempt: 1, number: 1, text: 'a' }],
    progress: [{ jobId, attempt: 1, progress: { percent: 50 } }],
  })
  executor.say({
    results: [
      { jobId, attempt: 1, outcome: { $case: 'failed', value: { brief: 'a', retryable: true } } },
    ],
    credits: [{ lane: 1, slots: 1 }],
  })
  await executor.assigned(2)
  await expect(call(it, 'deleteJob', jobId, 'ann')).rejects.toThrow('has not ended')
  executor.say({
    results: [
      {
        jobId,
        attempt: 2,
        outcome: {
          $case: 'succeeded',
          value: { source: { $case: 'address', value: result ?? '' } },
        },
      },
    ],
  })
  await it.as('ann').wait([jobId])
  await expect(call(it, 'deleteJob', jobId, 'bob')).rejects.toThrow('there is no job')
  await call(it, 'deleteJob', jobId, 'ann')
  expect(await leftOf(it)).toEqual(NOTHING)
  const discarded = await rowsOf(it, 'SELECT owner, address FROM offstage.discarded_values')
  expect(discarded).toEqual([params, result].map((address) => ({ owner: 'ann', address })))
  await expect(it.as('ann').get(jobId)).rejects.toThrow('there is no job')
  await expect(call(it, 'deleteJob', jobId, 'ann')).rejects.toThrow('there is no job')
})

test('an operator who removes or pins a job of somebody else is on record', async () => {
  await using it = await start()
  const [jobId = ''] = await pastJobs(it.database, {})
  await call(it, 'pinJob', jobId, 'ann')
  await call(it, 'pinJob', jobId, 'olga:operator')
  await call(it, 'unpinJob', jobId, 'olga:operator')
  await call(it, 'deleteJob', jobId, 'olga:operator')
  const acts = await rowsOf(
    it,
    'SELECT actor, call, outcome, owners FROM offstage.acts ORDER BY id',
  )
  const by = { actor: 'olga', owners: ['ann'] }
  expect(acts).toEqual([
    { ...by, call: 'JobService.PinJob', outcome: 'UNCHANGED' },
    { ...by, call: 'JobService.UnpinJob', outcome: 'OK' },
    { ...by, call: 'JobService.DeleteJob', outcome: 'OK' },
  ])
  await expect(call(it, 'pinJob', jobId)).rejects.toThrow('there is no job')
  await expect(call(it, 'pinJob', 'X')).rejects.toThrow('job_id')
})

test('each kind and end of each namespace is kept by its own count and age, and none pushes out another', async () => {
  await using it = await start(SWEEPING)
  const age = durationFrom(HOUR_MS)
  const retention = [
    { kind: PROGRAM, state: SUCCEEDED, maxCount: 3n },
    { kind: PROGRAM, state: FAILED, maxAge: age },
    { kind: SYSTEM, maxAge: age, maxCount: 2n },
  ] as proto.Retention[]
  await updateNamespace(it.address, { retention })
  const kept: string[] = []
  const gone: string[] = []
  const past = async (staying: number, of: PastJobs) => {
    const ids = await pastJobs(it.database, { count: 5, ...of })
    kept.push(...ids.slice(0, staying))
    gone.push(...ids.slice(staying))
  }
  await past(5, { namespace: 'other', endedMsAgo: HOUR_MS })
  await past(5, { kind: 3, endedMsAgo: HOUR_MS })
  await past(3, { endedMsAgo: HOUR_MS })
  await past(5, { state: FAILED })
  await past(0, { state: FAILED, endedMsAgo: HOUR_MS })
  await past(2, { kind: SYSTEM })
  await past(2, { kind: SYSTEM, state: FAILED, endedMsAgo: HOUR_MS - 2_000 })
  await until(async () => (await stillThere(it.database, gone)).length === 0, { what: 'the sweep' })
  expect(await stillThere(it.database, kept)).toEqual(kept)
})

test('exactly the newest of each group are kept, whatever shares their pages and ended at the same moment', async () => {
  await using it = await start(SWEEPING)
  const groups = [PROGRAM, SYSTEM].flatMap((kind) =>
    [SUCCEEDED, FAILED].flatMap((state) =>
      ['default', 'other'].map((namespace) => ({ kind, state, namespace })),
    ),
  )
  for (const count of [1, 2, 40])
    for (const group of groups) await pastJobs(it.database, { ...group, count })
  const atOnce = `date_trunc('hour', finish_time) WHERE namespace = 'other'`
  await rowsOf(it, `UPDATE offstage.jobs SET finish_time = ${atOnce}`)
  const read = () =>
    Promise.all(
      groups.map(
        ({ kind, state, namespace }) =>
          rowsOf(
            it,
            `SELECT id, finish_time AS "finishTime" FROM offstage.jobs
         WHERE kind = ${kind} AND state = ${state} AND namespace = '${namespace}' ORDER BY finish_time DESC, id`,
          ) as Promise<{ id: string; finishTime: Date }[]>,
      ),
    )
  const before = await read()
  const countMax = groups.map(({ kind, state }) =>
    kind === PROGRAM ? 3 : state === FAILED ? 1 : 43,
  )
  const retention = [
    { kind: PROGRAM, maxCount: 3n },
    { kind: SYSTEM, state: FAILED, maxCount: 1n },
  ] as proto.Retention[]
  for (const name of ['default', 'other']) await updateNamespace(it.address, { name, retention })
  await until(async () =>
    (await read()).every((left, index) => left.length <= (countMax[index] ?? 0)),
  )
  const after = await read()
  expect(after.map(({ length }) => length)).toEqual(countMax)
  for (const [index, left] of after.entries()) {
    const newest = before[index]?.slice(0, left.length)
    if (groups[index]?.namespace === 'default') expect(left).toEqual(newest)
    else expect(left.map((job) => job.finishTime)).toEqual(newest?.map((job) => job.finishTime))
  }
})

test('a pinned job is kept whatever the retention and not counted, until it is unpinned', async () => {
  await using it = await start(SWEEPING)
  const [pinned = '', ...others] = await pastJobs(it.database, { count: 3 })
  await call(it, 'pinJob', pinned, 'ann')
  expect(await it.jobs.get(pinned)).toMatchObject({ pinned: true })
  const retention = [{ kind: PROGRAM, maxAge: durationFrom(0) }] as proto.Retention[]
  await updateNamespace(it.address, { retention })
  await until(async () => (await stillThere(it.database, others)).length === 0)
  const [later = ''] = await pastJobs(it.database, {})
  await until(async () => (await stillThere(it.database, [later])).length === 0)
  expect(await stillThere(it.database, [pinned])).toEqual([pinned])
  await call(it, 'unpinJob', pinned, 'ann')
  await until(async () => (await stillThere(it.database, [pinned])).length === 0)
})

test('children of a job that goes on are kept, since it may still ask for them', async () => {
  await using it = await start(SWEEPING)
  await using executor = await attachExecutor(it.address)
  const parent = await it.as('ann').start(job)
  await executor.assigned(1)
  const ofIt = { count: 3, parentId: parent.jobId }
  const children = await pastJobs(it.database, { ...ofIt, endedMsAgo: HOUR_MS })
  const others = await pastJobs(it.database, { count: 3, endedMsAgo: 1 })
  const retention = [{ kind: PROGRAM, maxAge: durationFrom(0), maxCount: 1n }] as proto.Retention[]
  await updateNamespace(it.address, { retention })
  await until(async () => (await stillThere(it.database, others)).length === 0)
  const [later = ''] = await pastJobs(it.database, {})
  await until(async () => (await stillThere(it.database, [later])).length === 0)
  expect(await stillThere(it.database, children)).toEqual(children)
  executor.succeed(...executor.assignments)
  const all = [...children, parent.jobId]
  await until(async () => (await stillThere(it.database, all)).length === 0)
})

test('children of a job that goes on push out no others, and are removed with the count once it has ended', async () => {
  await using it = await start(SWEEPING)
  await using executor = await attachExecutor(it.address)
  const parent = await it.as('ann').start(job)
  await executor.assigned(1)
  const ofIt = { count: 3, parentId: parent.jobId }
  const children = await pastJobs(it.database, { ...ofIt, endedMsAgo: HOUR_MS })
  const others = await pastJobs(it.database, { count: 5 })
  await updateNamespace(it.address, {
    retention: [{ kind: PROGRAM, maxCount: 2n }] as proto.Retention[],
  })
  await until(async () => (await stillThere(it.database, others)).length <= 2)
  const [later = ''] = await pastJobs(it.database, {})
  const newest = [later, ...others.slice(0, 1)]
  await until(async () => (await stillThere(it.database, others)).length <= 1)
  expect(await stillThere(it.database, [...newest, ...children])).toEqual([...newest, ...children])
  executor.succeed(...executor.assignments)
  await until(async () => (await stillThere(it.database, children)).length === 0)
})

test('a job whose row moves while the table is read is removed by the next sweep', async () => {
  await using it = await start()
  // Where it has been used before there is room for the row in pages of which it is to move out.
  await it.database.query({ name: '', text: 'VACUUM FULL offstage.jobs' })
  const [jobId = '', ...others] = await pastJobs(it.database, { count: 3_000 })
  const retention = createRetentionStore(it.database, it.database)
  const [before, limit] = [(Date.now() + HOUR_MS) * 1_000, 5_000]
  const pages = await retention.pages()
  const half = Math.floor(pages / 2)
  await retention.remove({ fromPage: half, toPage: pages }, GROUP, before, limit)
  await call(it, 'pinJob', jobId, 'ann')
  await call(it, 'unpinJob', jobId, 'ann')
  await retention.remove({ fromPage: 0, toPage: half }, GROUP, before, limit)
  expect(await stillThere(it.database, [jobId, ...others])).toEqual([jobId])
  const all = { fromPage: 0, toPage: await retention.pages() }
  expect(await retention.remove(all, GROUP, before, limit)).toBe(1)
})

test('what a job of the product itself starts is kept as the product’s own', async () => {
  await using it = await start()
  const [parentJobId = ''] = await pastJobs(it.database, { kind: SYSTEM })
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  const started = await it.as('ann').start({ ...job, parentJobId })
  expect(await it.jobs.get(started.jobId)).toMatchObject({ kind: SYSTEM })
  const below = await it.as('ann').start({ ...job, parentJobId: started.jobId })
  expect(await it.jobs.get(below.jobId)).toMatchObject({ kind: SYSTEM })
})

test('a preview tells what the next sweep removes, by the rules in force and by others, and removes nothing', async () => {
  await using it = await start()
  using namespaces = connectNamespaces(it.address)
  const preview = async (retention: readonly object[] = []) => {
    const { raw } = namespaces
    const type = proto.PreviewRetentionRequest
    const draft = { retention } as never
    const answer: proto.PreviewRetentionResponse = await ask(
      raw,
      raw.previewRetention,
      type,
      draft,
      'olga:operator',
    )
    return answer.expired.map(({ kind, state, keptCount, expiredCount }) => [
      kind,
      state,
      Number(keptCount),
      Number(expiredCount),
    ])
  }
  expect(await preview()).toEqual([])
  const day = 24 * HOUR_MS
  await pastJobs(it.database, { count: 5, endedMsAgo: 8 * day })
  await pastJobs(it.database, { count: 4 })
  await pastJobs(it.database, { count: 3, state: FAILED, endedMsAgo: 8 * day })
  expect(await preview()).toEqual([
    [PROGRAM, SUCCEEDED, 9, 5],
    [PROGRAM, FAILED, 3, 0],
  ])
  expect(await preview([{ kind: PROGRAM, maxCount: 2n }])).toEqual([
    [PROGRAM, SUCCEEDED, 9, 7],
    [PROGRAM, FAILED, 3, 1],
  ])
  await expect(preview([{ kind: 9 }])).rejects.toThrow('retention[0].kind')
  expect(await rowsOf(it, 'SELECT count(*) AS n FROM offstage.jobs')).toEqual([{ n: 12 }])
  await using sweeping = await setup({ database: it.database, ...SWEEPING })
  await until(async () => (await preview())[0]?.[2] === 4)
  expect(sweeping.scheduler.unready).toBeUndefined()
})

test('several replicas remove all there is, around what somebody has locked', async () => {
  await using it = await start(SWEEPING)
  await using second = await setup({ database: it.database, ...SWEEPING })
  const ids = await pastJobs(it.database, { count: 3_000, endedMsAgo: 8 * 24 * HOUR_MS })
  const [locked = ''] = ids
  const text = 'SELECT FROM offstage.jobs WHERE id = $1 FOR KEY SHARE'
  await it.database.transaction(async (tx) => {
    await tx.query({ name: '', text }, [locked])
    await until(async () => (await stillThere(it.database, ids)).length === 1)
  })
  await until(async () => (await stillThere(it.database, ids)).length === 0)
  expect(second.scheduler.unready).toBeUndefined()
})

test('one replica sweeps until it has not for a while, and a clock put back keeps nobody from it', async () => {
  await using it = await start()
  const { beginSweep } = createRetentionStore(it.database, it.database)
  const [one, other] = [randomUUID(), randomUUID()]
  const begun = (seconds: number) =>
    rowsOf(it, `UPDATE offstage.shared_sweeps SET begin_time = now() - ${seconds} * interval '1 s'`)
  expect(await beginSweep(one, 60_000)).toBe(true)
  expect(await beginSweep(other, 60_000)).toBe(false)
  expect(await beginSweep(one, 60_000)).toBe(true)
  await begun(61)
  expect(await beginSweep(other, 60_000)).toBe(true)
  expect(await beginSweep(one, 60_000)).toBe(false)
  await begun(-3_600)
  expect(await beginSweep(one, 60_000)).toBe(true)
  expect(await beginSweep(other, 60_000)).toBe(false)
})

test('nothing that is being recorded of a job stays behind when the job is removed meanwhile', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  await it.as('ann').startMany([job, job])
  await executor.assigned(2)
  const text = 'SELECT id AS "jobId", attachment_id AS "attachmentId", attempt FROM offstage.jobs'
  const { rows } = await it.database.query<AttemptKey>({ name: '', text })
  const [first, second] = rows.map(({ jobId }) => jobId)
  const retention = createRetentionStore(it.database, it.database)
  const removeAll = () => retention.remove(ALL_PAGES, GROUP, (Date.now() + HOUR_MS) * 1_000, 10)
  let deleted: Promise<unknown> | undefined
  await it.database.transaction(async (tx) => {
    const progress = { percent: 1, text: '', extra: undefined, revision: 0 }
    await recordProgress(
      tx,
      rows.map((key) => ({ ...key, progress })),
    )
    const message = { number: 1, severity: 1, text: 'a', extra: undefined } as const
    await recordMessages(
      tx,
      rows.map((key) => ({ ...key, ...message })),
    )
    executor.succeed(...executor.assignments)
    await it.as('ann').wait([first ?? '', second ?? ''])
    // A sweep goes around what is being recorded, a call waits for it.
    expect(await removeAll()).toBe(0)
    deleted = call(it, 'deleteJob', first ?? '')
  })
  await deleted
  expect(await removeAll()).toBe(1)
  expect(await leftOf(it)).toEqual(NOTHING)
})

test('an id that no list of discarded values had is refused, and its place named', async () => {
  await using it = await start()
  using service = new ClosedWith(it.address)
  const list = (...done: bigint[]) =>
    ask(service.client, service.client.listDiscardedValues, ListDiscardedValuesRequest, { done })
  await expect(list(1n)).resolves.toMatchObject({ values: [] })
  for (const id of [0n, -1n, 2n ** 63n - 1n]) {
    const refusal = await list(1n, id).catch((error) => errorFromStatus(error))
    expect(refusal).toMatchObject({
      reason: 'INVALID_FIELD',
      violations: [{ field: 'done[1]' }],
    })
  }
})

class ClosedWith {
  readonly client: ExecutorServiceClient

  constructor(address: string) {
    this.client = new ExecutorServiceClient(address, credentials.createInsecure(), clientOptions())
  }

  [Symbol.dispose](): void {
    this.client.close()
  }
}
