/** All jobs that a filter selects are canceled, started anew and deleted by a job of the schedulers' own (row J25). */
import { randomUUID } from 'node:crypto'
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { ask } from './testing/ask.ts'
import { connectBulk } from './testing/bulk.ts'
import { millis } from './testing/draft.ts'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { pastJobs, stillThere } from './testing/past-jobs.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import type { Bundle } from './testing/setup.ts'

const { JobState, JobKind } = proto
const job = { method: 'test.job' }

test('what a filter selects is canceled: what waits ends, what runs is told to stop, the rest goes on', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { slots: 2 })
  const bulk = connectBulk(it)
  const mine = []
  for (let n = 0; n < 5; n++) mine.push((await it.jobs.start({ ...job, labels: { a: '1' } })).jobId)
  const { jobId: other } = await it.jobs.start(job)
  await executor.assigned(2)
  const preview = await bulk.preview('cancel', 'label.a:1')
  expect(preview).toMatchObject({ count: 5n, more: false })
  expect(preview?.sampleJobIds.toSorted()).toEqual(mine.toSorted())
  const done = await bulk.run('cancel', 'label.a:1 -state:succeeded')
  expect(done).toMatchObject({
    state: JobState.JOB_STATE_SUCCEEDED,
    result: { matched: 5, done: 5, skipped: {} },
  })
  await until(() => executor.cancels.length === 2, { what: 'both to be told' })
  const states = await Promise.all(mine.map(async (id) => (await it.jobs.get(id)).state))
  expect(states.filter((state) => state === JobState.JOB_STATE_CANCELED)).toHaveLength(3)
  expect((await it.jobs.get(other)).state).toBe(JobState.JOB_STATE_QUEUED)
  const itself = await it.jobs.get(done.jobId)
  expect(itself).toMatchObject({
    method: 'offstage.cancel_jobs',
    kind: JobKind.JOB_KIND_SYSTEM,
    owner: 'dev',
    progress: { percent: 99, text: '5 of 5 asked to end' },
  })
  const params = itself.params?.source
  expect(params?.$case === 'inline' && JSON.parse(params.value.toString())).toEqual({
    filter: 'label.a:1 -state:succeeded',
    reason: '',
    graceMs: 10_000,
  })
})

test('failed and canceled jobs are started anew; of one key one, and none whose key is held', async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  const failed = await pastJobs(it.database, { count: 1_200, state: 6 })
  const [succeeded = ''] = await pastJobs(it.database, { state: 5 })
  const key = (id: string | undefined, name: string) =>
    it.database.query({ name: '', text: 'UPDATE offstage.jobs SET key = $2 WHERE id = $1' }, [
      id,
      name,
    ])
  await key(failed[0], 'one')
  await key(failed[1], 'one')
  await key(failed[2], 'held')
  await using executor = await attachExecutor(it.address, { methods: ['test.past'], slots: 1 })
  await it.jobs.start({ method: 'test.past', key: 'held' })
  const done = await bulk.run('retry', 'state:failed method:test.*')
  expect(done.result).toEqual({ matched: 1_200, done: 1_198, skipped: { JOB_KEY_TAKEN: 2 } })
  const { jobs } = await it.jobs.list({ states: [JobState.JOB_STATE_FAILED] })
  expect(jobs).toHaveLength(2)
  expect((await it.jobs.get(succeeded)).state).toBe(JobState.JOB_STATE_SUCCEEDED)
  await executor.assigned(1)
})

test('finished jobs are deleted with what is their own, but those that are pinned', async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  const old = await pastJobs(it.database, { count: 700, endedMsAgo: 3_600_000 })
  const young = await pastJobs(it.database, { count: 3 })
  const { raw } = it.jobs
  await ask(raw, raw.pinJob, proto.PinJobRequest, { jobId: old[0] ?? '' })
  expect(await bulk.preview('delete', 'ended:>30m')).toMatchObject({ count: 700n })
  const done = await bulk.run('delete', 'ended:>30m method:test.past')
  expect(done.result).toEqual({ matched: 700, done: 699, skipped: { PINNED: 1 } })
  expect(await stillThere(it.database, old)).toEqual([old[0]])
  expect(await stillThere(it.database, young)).toHaveLength(3)
})

/** From now on none is carried on: as one that a newer release has left behind, which this one cannot read. Undone by `carryOn`. */
async function garble({ database }: Bundle, verb: string) {
  const run = (text: string) => database.query({ name: '', text })
  await run(`CREATE FUNCTION public.garble() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.verb = '${verb}' THEN NEW.verb := 'newer'; END IF; RETURN NEW; END $$`)
  await run(
    'CREATE TRIGGER garble BEFORE INSERT ON offstage.bulk_jobs FOR EACH ROW EXECUTE FUNCTION public.garble()',
  )
  return { carryOn: () => run(`UPDATE offstage.bulk_jobs SET verb = '${verb}'`) }
}

test('what was started after the call is left alone, and what does not match any more when its turn comes', async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  const before = await it.jobs.start(job)
  const changed = await it.jobs.start(job)
  const held = await garble(it, 'cancel')
  const { job: asked } = await bulk.call('cancel', { filter: { text: 'state:queued age:<1h' } })
  const after = await it.jobs.start(job)
  await it.jobs.cancel(changed.jobId)
  await held.carryOn()
  const { statuses } = await it.jobs.wait([asked?.jobId ?? ''])
  const value = statuses[0]?.completion?.result?.source
  expect(value?.$case === 'inline' && JSON.parse(value.value.toString())).toMatchObject({ done: 1 })
  expect((await it.jobs.get(before.jobId)).state).toBe(JobState.JOB_STATE_CANCELED)
  expect((await it.jobs.get(after.jobId)).state).toBe(JobState.JOB_STATE_QUEUED)
})

test('everybody reaches their own jobs, operators those of all, and what they do to others is recorded', async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  const ofAnn = await it.as('ann').start(job)
  const ofBob = await it.as('bob').start(job)
  expect(await bulk.preview('cancel', 'state:queued', 'ann')).toMatchObject({ count: 1n })
  expect((await bulk.run('cancel', 'state:queued', 'ann')).result).toMatchObject({ done: 1 })
  expect((await bulk.run('cancel', 'owner:bob', 'ann')).result).toMatchObject({ matched: 0 })
  expect((await it.as('bob').get(ofBob.jobId)).state).toBe(JobState.JOB_STATE_QUEUED)
  const acts = () =>
    it.database.query({ name: '', text: 'SELECT actor, call, targets, owners FROM offstage.acts' })
  expect((await acts()).rows).toEqual([])
  const byOperator = await bulk.run('cancel', 'state:queued', 'olga:operator')
  expect(byOperator.result).toMatchObject({ done: 1 })
  await bulk.run('retry', 'state:canceled', 'olga:operator')
  const ofBoth = [ofAnn.jobId, ofBob.jobId]
  const { rows } = await acts()
  expect(rows).toMatchObject([
    { actor: 'olga', call: 'JobService.CancelJobs', targets: [ofBob.jobId], owners: ['bob'] },
    { actor: 'olga', call: 'JobService.RetryJobs', targets: expect.arrayContaining(ofBoth) },
  ])
  // Its owner sees the job that did it, and nobody else's user does.
  await expect(it.as('bob').get(byOperator.jobId)).rejects.toThrow(/there is no job/)
})

test('who may not start a method any more starts no job of it anew', async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  const [id = ''] = await pastJobs(it.database, { state: 6 })
  const startableBy = { roles: ['operator'], users: [] }
  const definitions = [{ name: 'test.past', startableBy }]
  await using _executor = await attachExecutor(it.address, { definitions, slots: 0 })
  const done = await bulk.run('retry', 'state:failed', 'ann')
  expect(done.result).toEqual({ matched: 1, done: 0, skipped: { METHOD_NOT_STARTABLE: 1 } })
  expect((await it.jobs.get(id)).state).toBe(JobState.JOB_STATE_FAILED)
  expect((await bulk.run('retry', 'state:failed', 'olga:operator')).result).toMatchObject({
    done: 1,
  })
})

test('said again by its request id it is the same job; for something else it is refused', async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  for (const requestId of ['once', randomUUID()]) {
    const asked = { filter: { text: 'state:failed' }, requestId, inlineWait: millis(20_000) }
    const first = await bulk.call('retry', asked)
    const again = await bulk.call('retry', asked)
    expect(again.job).toMatchObject({ jobId: first.job?.jobId, existing: true })
    expect(again.job?.completion?.result).toEqual(first.job?.completion?.result)
    const other = bulk.call('retry', { ...asked, filter: { text: 'state:canceled' } })
    await expect(other).rejects.toThrow(/was used for another start/)
    await expect(bulk.call('delete', asked)).rejects.toThrow(/was used for another start/)
  }
})

test('an empty filter is refused, where it is not said that all are meant; and all beside a filter', async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  for (const verb of ['cancel', 'retry', 'delete'] as const) {
    await expect(bulk.call(verb, {})).rejects.toThrow(/filter is empty: say which .* or set all/)
    const both = { all: true, filter: { text: 'key:x' } }
    await expect(bulk.call(verb, both)).rejects.toThrow(/all is set beside a filter/)
    await expect(bulk.run(verb, 'key:')).rejects.toThrow(/filter\.text is wrong at character 1/)
    expect(await bulk.call(verb, { all: true, validateOnly: true })).toMatchObject({
      job: undefined,
      selection: { count: 0n, more: false, sampleJobIds: [] },
    })
  }
})

test('it is canceled on its way: what is done stays done, the rest is left alone, and it cannot be started anew', async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  const past = await pastJobs(it.database, { count: 5_000 })
  const { job: asked } = await bulk.call('delete', { filter: { text: 'method:test.past' } })
  const jobId = asked?.jobId ?? ''
  await until(async () => ((await it.jobs.get(jobId)).progress?.percent ?? 0) > 0)
  await it.jobs.cancel(jobId)
  const { statuses } = await it.jobs.wait([jobId])
  expect(statuses[0]?.state).toBe(JobState.JOB_STATE_CANCELED)
  const { progress } = await it.jobs.get(jobId)
  const left = await stillThere(it.database, past)
  expect(left.length).toBeGreaterThan(0)
  expect(progress?.extra).toMatchObject({ done: past.length - left.length, total: past.length })
  await expect(it.jobs.retry(jobId)).rejects.toThrow(/carried out by the scheduler itself/)
  expect((await bulk.run('retry', 'kind:system')).result).toEqual({
    matched: 1,
    done: 0,
    skipped: { JOB_NOT_RETRYABLE: 1 },
  })
})

test("one that nobody can carry on is in nobody else's way, and ends by its cancel with nothing done", async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  const past = await pastJobs(it.database, { count: 3 })
  await garble(it, 'delete')
  const { job: asked } = await bulk.call('delete', { filter: { text: 'method:test.past' } })
  expect((await bulk.run('retry', 'state:failed')).result).toMatchObject({ matched: 0 })
  const jobId = asked?.jobId ?? ''
  await it.jobs.cancel(jobId, { graceMs: 0 })
  const { statuses } = await it.jobs.wait([jobId])
  expect(statuses[0]?.state).toBe(JobState.JOB_STATE_CANCELED)
  expect(await stillThere(it.database, past)).toHaveLength(3)
})

test('it is done while the namespace is paused, and a pause that cancels what runs leaves it alone', async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  using namespaces = connectNamespaces(it.address)
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  await it.jobs.start(job)
  await namespaces.pauseNamespace('', true)
  expect((await bulk.run('cancel', 'state:queued')).result).toMatchObject({ done: 1 })
})

test('one of somebody else does not wait for all that a busy owner has asked for', async () => {
  await using it = await start()
  const bulk = connectBulk(it)
  const order = (n: number) => bulk.call('cancel', { filter: { text: `label.n:${n}` } }, 'busy')
  await Promise.all(Array.from({ length: 60 }, (_, n) => order(n)))
  const { jobId } = await bulk.run('cancel', 'label.n:0', 'other')
  const text = `
    SELECT count(*)::int AS later FROM offstage.jobs busy JOIN offstage.jobs other ON other.id = $1
    WHERE busy.owner = 'busy' AND coalesce(busy.finish_time > other.finish_time, true)`
  const { rows } = await it.database.query<{ later: number }>({ name: '', text }, [jobId])
  expect(rows[0]?.later).toBeGreaterThan(10)
})
