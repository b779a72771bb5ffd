/** Seeing what a job was given and what came of it is a right of its own (row J23): operators and readers do without. */
import { Metadata } from '@grpc/grpc-js'
import * as proto from '@offstage/proto/jobs'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { ask } from './testing/ask.ts'
import { complete } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { connectSchedules } from './testing/schedules.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'

/** For what is written behind other work, on a busy machine. */
const WAIT = { timeout: 5_000 }

const inline = (text: string) => ({
  source: { $case: 'inline' as const, value: Buffer.from(JSON.stringify(text)) },
})

/** A job of ann that succeeded and one that failed, with a secret wherever one can be. */
async function jobsWithSecrets(it: Awaited<ReturnType<typeof start>>) {
  const executor = await attachExecutor(it.address)
  const spec = { method: 'test.job', params: inline('secret'), wantAdditionalResult: true }
  const ids: string[] = []
  for (const isGood of [true, false]) {
    const { jobId } = await it.as('ann').start(spec)
    await executor.assigned(ids.push(jobId))
    const of = { jobId, attempt: 1 }
    const progress = {
      ...of,
      progress: { percent: 50, text: 'secret', extra: { a: 'secret' } },
      heartbeatData: inline('secret'),
    }
    const message = { ...of, number: 1, text: 'secret', extra: { a: 'secret' } }
    const good = {
      outcome: { $case: 'succeeded' as const, value: inline('secret') },
      additionalResult: inline('secret'),
    }
    const value = { brief: 'no luck', detail: 'secret', reason: 'Error', retryable: false }
    const bad = { outcome: { $case: 'failed' as const, value } }
    executor.say({ progress: [progress], messages: [message] })
    await expect
      .poll(async () => (await messagesOf(it, jobId, 'ann')).messages, WAIT)
      .toHaveLength(1)
    await expect.poll(async () => (await it.as('ann').get(jobId)).progress, WAIT).toBeDefined()
    executor.say({ results: [{ ...of, ...(isGood ? good : bad) }] })
  }
  await it.as('ann').wait(ids)
  return { ids, [Symbol.dispose]: executor.cut }
}

function messagesOf({ jobs }: Awaited<ReturnType<typeof start>>, jobId: string, user: string) {
  const { raw } = jobs
  return ask(raw, raw.listJobMessages, proto.ListJobMessagesRequest, { jobId }, user)
}

/** All that happens to jobs, by a stream that names them at its start. */
async function follow(
  { jobs }: Awaited<ReturnType<typeof start>>,
  ids: readonly string[],
  user: string,
) {
  const metadata = new Metadata()
  metadata.set('offstage-user', user)
  const targets = ids.map((jobId) => ({ jobId }))
  const request = complete<proto.FollowJobsRequest>(proto.FollowJobsRequest, { targets })
  const events: proto.JobEvent[] = []
  for await (const answer of jobs.raw.followJobs(request, metadata)) events.push(...answer.events)
  return events
}

async function watch(
  { jobs }: Awaited<ReturnType<typeof start>>,
  ids: readonly string[],
  user: string,
) {
  const metadata = new Metadata()
  metadata.set('offstage-user', user)
  const stream = jobs.raw.watchJobs(metadata)
  const add = ids.map((jobId) => ({ jobId }))
  stream.write(complete<proto.WatchJobsRequest>(proto.WatchJobsRequest, { add }))
  stream.end()
  const events: proto.JobEvent[] = []
  for await (const answer of stream) events.push(...answer.events)
  return events
}

/** Every answer that can tell of what is in a job. */
async function everyAnswer(
  it: Awaited<ReturnType<typeof start>>,
  ids: readonly string[],
  user: string,
) {
  const { raw } = it.jobs
  const list = (view: proto.JobView) =>
    ask(raw, raw.listJobs, proto.ListJobsRequest, { view }, user)
  return {
    got: await Promise.all(ids.map((id) => it.as(user).get(id))),
    basic: await list(proto.JobView.JOB_VIEW_BASIC),
    full: await list(proto.JobView.JOB_VIEW_FULL),
    waited: await it.as(user).wait(ids),
    messages: await messagesOf(it, ids[0] ?? '', user),
    followed: await follow(it, ids, user),
    watched: await watch(it, ids, user),
  }
}

/** Bytes and texts alike. */
function textOf(answers: unknown): string {
  return JSON.stringify(answers, (_, value) => {
    if (value?.type === 'Buffer') return Buffer.from(value.data).toString()
    return typeof value === 'bigint' ? String(value) : value
  })
}

test.each(['olga:operator', 'rita:reader'])(
  '%s sees the jobs of others without what is in them, and is told so',
  async (user) => {
    await using it = await start()
    using made = await jobsWithSecrets(it)
    const answers = await everyAnswer(it, made.ids, user)
    expect(textOf(answers)).not.toContain('secret')
    const { got, basic, full, waited, messages, followed, watched } = answers
    expect(got).toMatchObject([
      { owner: 'ann', progress: { percent: 50 }, payloadHidden: true },
      { completion: { error: { brief: 'no luck', reason: 'Error' }, payloadHidden: true } },
    ])
    expect(got[0]?.attempts).toHaveLength(1)
    for (const { jobs } of [basic, full]) {
      expect(jobs).toMatchObject([{ payloadHidden: true }, { payloadHidden: true }])
    }
    expect(waited.satisfied).toBe(true)
    for (const { completion } of waited.statuses) expect(completion?.payloadHidden).toBe(true)
    expect(messages).toMatchObject({ messages: [{ sequence: 1, text: '' }], payloadHidden: true })
    for (const events of [followed, watched]) {
      const hidden = events.filter(({ event }) => event?.$case !== 'state')
      expect(hidden).toHaveLength(6)
      for (const { payloadHidden } of hidden) expect(payloadHidden).toBe(true)
    }
  },
)

test.each(['ann', 'root:admin'])(
  '%s is shown everything, and nothing says otherwise',
  async (user) => {
    await using it = await start()
    using made = await jobsWithSecrets(it)
    const answers = await everyAnswer(it, made.ids, user)
    const { basic, full, ...whole } = answers
    for (const answer of [full, ...Object.values(whole)]) expect(textOf(answer)).toContain('secret')
    expect(textOf([basic, full, whole])).not.toContain('payloadHidden":true')
  },
)

const AMISS = ['PARAMS_INVALID', 'RESULT_INVALID', 'RESULT_NOT_SERIALIZABLE']

test.each(AMISS)(
  'what a schema says of what it does not take is told to no operator (%s)',
  async (reason) => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const { jobId } = await it.as('ann').start({ method: 'test.job', params: inline('secret') })
    await executor.assigned(1)
    const brief = 'The parameters do not fit: params.secret: expected a number, not "secret"'
    const value = { brief, detail: 'secret', reason, retryable: false }
    executor.say({ results: [{ jobId, attempt: 1, outcome: { $case: 'failed', value } }] })
    await it.as('ann').wait([jobId])
    const answers = await everyAnswer(it, [jobId], 'olga:operator')
    expect(textOf(answers)).not.toContain('secret')
    const [job] = answers.got
    expect(job?.completion?.error).toMatchObject({
      reason,
      brief: expect.stringMatching(/(do not fit|does not fit|cannot travel)\.$/),
    })
    expect(job?.attempts[0]?.errorBrief).toBe(job?.completion?.error?.brief)
    const own = await it.as('ann').get(jobId)
    expect([own.completion?.error?.brief, own.attempts[0]?.errorBrief]).toEqual([brief, brief])
  },
)

test('an operator cancels a job of somebody else, a reader and another user do not', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  const { jobId } = await it.as('ann').start({ method: 'test.job' })
  await expect(it.as('rita:reader').cancel(jobId)).rejects.toThrow('needs one of the roles')
  await expect(it.as('bob').cancel(jobId)).rejects.toThrow(`there is no job ${jobId}`)
  const { state } = await it.as('olga:operator').cancel(jobId)
  expect(state).toBe(proto.JobState.JOB_STATE_CANCELED)
})

test('an operator may not start a job below one of somebody else, nor be handed it for its key', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const { jobId } = await it.as('ann').start({ method: 'test.job', key: 'k' })
  const olga = it.as('olga:operator')
  await expect(olga.start({ method: 'test.job', parentJobId: jobId })).rejects.toThrow(
    'parent_job_id',
  )
  const wanted = { method: 'test.job', key: 'k', keyConflictPolicy: 2 } as const
  await expect(olga.start(wanted)).rejects.toThrow(`held by job ${jobId} of ann`)
})

test('an operator who triggers a schedule of somebody else is not told what its parameters are', async () => {
  await using it = await start()
  using schedules = connectSchedules(it)
  const paramsSchema = JSON.stringify({ enum: ['secret'] })
  const definitions = [{ name: 'test.job', paramsSchema }]
  await using _executor = await attachExecutor(it.address, { definitions })
  const scheduleId = 'nightly'
  const timing = { $case: 'cron', value: '0 0 * * *' } as const
  const scheduled = { scheduleId, timing, job: { method: 'test.job', params: inline('secret') } }
  await schedules.create(scheduled, { user: 'ann' })
  // They fit when it was created, and do not any more.
  const text = `UPDATE offstage.methods SET definition = jsonb_set(definition, '{paramsSchema}', '"{\\"enum\\":[\\"other\\"]}"')`
  await it.database.query({ name: '', text })
  await using other = await setup({ database: it.database })
  using elsewhere = connectSchedules(other)
  const refused = (user: string) =>
    elsewhere.trigger({ scheduleId }, user).then(() => undefined, errorFromStatus)
  const reason = 'PARAMS_INVALID'
  expect(await refused('ann')).toMatchObject({
    reason,
    message: expect.stringContaining('other'),
  })
  for (const user of ['olga:operator', 'sven:service']) {
    expect(await refused(user)).toMatchObject({
      reason,
      message: 'The parameters do not fit.',
      violations: [],
      metadata: {},
    })
  }
})

test('by which of its parameters a job is limited is told to no operator', async () => {
  await using it = await start()
  const limits = [{ keyExpression: 'params.tenant', maxConcurrency: 1 }]
  const definitions = [{ name: 'test.job', limits }]
  await using executor = await attachExecutor(it.address, { definitions, slots: 5 })
  const value = Buffer.from('{"tenant":"secret"}')
  const params = { source: { $case: 'inline' as const, value } }
  const spec = { method: 'test.job', params }
  await it.as('ann').start(spec)
  await executor.assigned(1)
  const { jobId } = await it.as('ann').start(spec)
  const told = async (user: string) => textOf(await it.as(user).explain(jobId))
  await expect.poll(() => told('ann'), WAIT).toContain('whose params.tenant is \\"secret\\"')
  expect(await told('olga:operator')).toContain('whose params.tenant is that of this job')
  expect(await told('olga:operator')).not.toContain('secret')
})
