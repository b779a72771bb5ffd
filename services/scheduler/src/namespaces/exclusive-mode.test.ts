/** A namespace that somebody has for themselves (row L10). */
import { status } from '@grpc/grpc-js'
import { durationFrom } from '@offstage/proto/durations'
import { type JobSpec, JobState, OverlapPolicy, WaitCause } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { LeaseId } from '../domain/ids.ts'
import { createExclusiveModeStore } from '../store/exclusive-mode.ts'
import type { Draft } from '../testing/draft.ts'
import { connectLeases } from '../testing/leases.ts'
import { connectNamespaces } from '../testing/namespaces.ts'
import { connectSchedules } from '../testing/schedules.ts'
import {
  attachExecutor,
  type ScriptedExecutor,
  type ScriptOptions,
} from '../testing/scripted-executor.ts'
import { type Bundle, setup } from '../testing/setup.ts'
import { updateNamespace } from '../testing/update-namespace.ts'
import { createExclusiveMode } from './exclusive-mode.ts'

const { JOB_STATE_QUEUED: QUEUED, JOB_STATE_RUNNING: RUNNING } = JobState
const { JOB_STATE_SUCCEEDED: SUCCEEDED, JOB_STATE_CANCELED: CANCELED } = JobState
const job = { method: 'test.job' }

let it: Bundle
let leases: ReturnType<typeof connectLeases>
let namespaces: ReturnType<typeof connectNamespaces>
let schedules: ReturnType<typeof connectSchedules>
const stack = new AsyncDisposableStack()
beforeAll(async () => {
  it = stack.use(await setup({ config: { claimSweepMs: 100, dueSweepMs: 20 } }))
  leases = stack.use(connectLeases(it.scheduler.address))
  namespaces = stack.use(connectNamespaces(it.scheduler.address))
  schedules = stack.use(connectSchedules(it))
})
afterAll(() => stack.disposeAsync())
afterEach(() => leases.leave({ force: true }))

const attach = (options: ScriptOptions = {}) => attachExecutor(it.scheduler.address, options)
const stateOf = async (jobId: string) => (await it.jobs.get(jobId)).state
const sql = (text: string, values: readonly unknown[] = []) =>
  it.database.query<Record<string, unknown>>({ name: '', text }, values)

async function enterAlone(user?: string) {
  const { leaseId } = await leases.create({}, user)
  await leases.enter({ leaseId }, user)
  return leaseId
}

const refused = (answer: Promise<unknown>) =>
  answer.then(
    () => expect.unreachable('it was not refused'),
    ({ code, details }: { code: number; details: string }) => `${status[code]} ${details}`,
  )
/** All that it was assigned ends, on record: what is left would be waited for by the next test. */
async function finish(executor: ScriptedExecutor) {
  executor.succeed(...executor.assignments)
  await it.jobs.wait(executor.assignments.map(({ jobId }) => jobId))
}
const KEPT_OUT = /^FAILED_PRECONDITION dev has namespace default exclusively since .*Z, until .*Z/

test('who has the namespace is told, other starts are refused, and automatic ones wait until it is left', async () => {
  await using executor = await attach({ auto: true })
  const leaseId = await enterAlone()
  expect(await namespaces.get()).toMatchObject({ exclusiveOwner: 'dev' })
  expect((await namespaces.get())?.exclusiveTime).toBeInstanceOf(Date)
  expect(await refused(it.jobs.start(job))).toMatch(KEPT_OUT)
  expect(await refused(it.as('ann').start({ ...job, key: 'k' }))).toMatch(KEPT_OUT)
  const { jobId, state } = await it.jobs.start({ ...job, automatic: true })
  expect(state).toBe(QUEUED)
  const explained = await it.jobs.explain(jobId)
  expect(explained).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_EXCLUSIVE_MODE,
    holders: ['dev'],
    text: expect.stringMatching(/^The namespace default is had exclusively by dev since/),
  })
  expect(executor.assignments).toEqual([])
  await leases.leave({ leaseId })
  await it.jobs.wait([jobId])
  expect(await namespaces.get()).toMatchObject({ exclusiveOwner: '', exclusiveTime: undefined })
})

test('a start that was recorded before is answered with its job, though it is said again meanwhile', async () => {
  await using executor = await attach({ auto: true })
  const asked = { ...job, requestId: 'said-before' }
  const { jobId } = await it.jobs.start(asked)
  await it.jobs.wait([jobId])
  await enterAlone()
  expect(await it.jobs.start(asked)).toMatchObject({ jobId })
  expect(executor.assignments).toHaveLength(1)
})

test('jobs of the lease run, and so do their children', async () => {
  await using executor = await attach()
  const leaseId = await enterAlone()
  const own = await it.jobs.start({ ...job, leaseId })
  const [first] = await executor.assigned(1)
  const child = await it.jobs.start({ ...job, parentJobId: own.jobId })
  const [, second] = await executor.assigned(2)
  expect([first?.jobId, second?.jobId]).toEqual([own.jobId, child.jobId])
  const late = await it.jobs.start({ ...job, leaseId, delay: durationFrom(1) })
  const [, , third] = await executor.assigned(3)
  expect(third?.jobId).toBe(late.jobId)
  await finish(executor)
})

test('what runs is a reason to refuse at once, and is named', async () => {
  await using executor = await attach()
  const { jobId } = await it.as('ann').start(job)
  await executor.assigned(1)
  const { leaseId } = await leases.create()
  const said = await refused(leases.enter({ leaseId }))
  expect(said).toMatch(
    `FAILED_PRECONDITION a job of others still ran in namespace default: ${jobId} (test.job of ann`,
  )
  expect(await namespaces.get()).toMatchObject({ exclusiveOwner: '', exclusiveAskTime: undefined })
  expect((await it.jobs.start(job)).state).toBe(RUNNING)
  await executor.assigned(2)
  await finish(executor)
})

test('what runs is waited for, and its children begin meanwhile, while nothing else does', async () => {
  await using executor = await attach({ slots: 3 })
  const parent = await it.jobs.start(job)
  const [ofParent] = await executor.assigned(1)
  const { leaseId } = await leases.create()
  const entered = leases.enter({ leaseId, timeout: durationFrom(60_000) })
  await until(async () => (await namespaces.get())?.exclusiveAskTime !== undefined)
  expect((await namespaces.get())?.exclusiveTime).toBeUndefined()
  expect(await refused(it.jobs.start(job))).toMatch(KEPT_OUT)
  const child = await it.jobs.start({ ...job, parentJobId: parent.jobId })
  const [, ofChild] = await executor.assigned(2)
  expect(ofChild?.jobId).toBe(child.jobId)
  if (ofChild !== undefined) executor.succeed(ofChild)
  await it.jobs.wait([child.jobId])
  if (ofParent !== undefined) executor.succeed(ofParent)
  const { exclusiveTime } = await entered
  const { completion } = await it.jobs.get(parent.jobId)
  expect(exclusiveTime?.getTime()).toBeGreaterThanOrEqual(
    completion?.finishTime?.getTime() ?? Number.POSITIVE_INFINITY,
  )
})

test('when the time is over it is given up, and what waited for it begins', async () => {
  await using executor = await attach()
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  const { leaseId } = await leases.create()
  const said = await refused(leases.enter({ leaseId, timeout: durationFrom(50) }))
  expect(said).toContain(jobId)
  expect(await namespaces.get()).toMatchObject({ exclusiveOwner: '' })
  await it.jobs.start(job)
  await executor.assigned(2)
  await finish(executor)
})

test('a call that is given up takes nothing from another one by the same lease that was granted meanwhile', async () => {
  await using executor = await attach()
  await it.jobs.start(job)
  await executor.assigned(1)
  const { leaseId } = await leases.create()
  const store = createExclusiveModeStore(it.database)
  // It looks no more, as one on a replica that was frozen.
  const blind = { ...store, countRunning: () => Promise.resolve(1) }
  const gatesChanged = () => Promise.resolve()
  const cancelJob = () => Promise.reject(new Error('nothing is to be canceled'))
  const mode = createExclusiveMode({ store: blind, cancelJob, gatesChanged })
  const lost = new AbortController()
  const asked = { namespace: 'default', leaseId: leaseId as LeaseId, jobId: undefined }
  const terms = { ...asked, timeoutMs: 60_000, cancelRunning: false }
  const by = { user: 'dev', roles: [], namespaces: 'all', peer: '', call: '' } as const
  const first = mode.enter(by, terms, lost.signal)
  await until(async () => (await namespaces.get())?.exclusiveAskTime !== undefined)
  await finish(executor)
  const { exclusiveTime } = await leases.enter({ leaseId })
  lost.abort()
  await expect(first).rejects.toThrow('abort')
  expect(await namespaces.get()).toMatchObject({ exclusiveOwner: 'dev', exclusiveTime })
  expect(await refused(it.jobs.start(job))).toMatch(KEPT_OUT)
})

test('what runs is canceled where it is asked for, and its owner is told by whom', async () => {
  await using executor = await attach()
  const { jobId } = await it.as('ann').start(job)
  await executor.assigned(1)
  const { leaseId } = await leases.create({}, 'svc:service')
  const asked = { leaseId, timeout: durationFrom(60_000), cancelRunning: true }
  const entered = leases.enter(asked, 'svc:service')
  await until(() => executor.cancels.length === 1)
  expect(executor.cancels[0]?.reason).toBe('svc takes the namespace exclusively')
  executor.say({ results: [{ jobId, attempt: 1, outcome: { $case: 'canceled', value: '' } }] })
  await entered
  expect(await stateOf(jobId)).toBe(CANCELED)
})

test.each([
  ['its lease is ended', (leaseId: string) => leases.end(leaseId)],
  [
    'its lease has run out',
    (leaseId: string) =>
      sql(`UPDATE offstage.caller_leases SET expire_time = now() WHERE id = $1::uuid`, [leaseId]),
  ],
  ['an administrator ends it', () => leases.leave({ force: true })],
])('what was held back goes on when %s', async (_, end) => {
  await using executor = await attach({ auto: true })
  const leaseId = await enterAlone('svc:service')
  const { jobId } = await it.jobs.start({ ...job, automatic: true })
  await end(leaseId)
  await it.jobs.wait([jobId])
  expect((await it.jobs.start(job, { waitMs: 10_000 })).completion?.state).toBe(SUCCEEDED)
  expect(executor.assignments).toHaveLength(2)
})

test('whoever has it is told by the next renewal that an administrator has ended it', async () => {
  const leaseId = await enterAlone('svc:service')
  await leases.leave({ force: true })
  expect(await refused(leases.renew(leaseId, 'svc:service'))).toMatch(/^NOT_FOUND /)
})

test('of two one has it, by the same lease again, and nobody leaves it by another', async () => {
  const leaseId = await enterAlone()
  const again = await leases.enter({ leaseId })
  expect(again).toEqual(await leases.enter({ leaseId }))
  const other = await leases.create({}, 'svc:service')
  const said = await refused(leases.enter({ leaseId: other.leaseId }, 'svc:service'))
  expect(said).toMatch(KEPT_OUT)
  await leases.leave({ leaseId: other.leaseId }, 'svc:service')
  await leases.leave({ leaseId }, 'svc:service')
  expect(await namespaces.get()).toMatchObject({ exclusiveOwner: 'dev' })
})

test('a lease of somebody else is none, be it to enter or to start by', async () => {
  const { leaseId } = await leases.create({}, 'ann')
  const none = `NOT_FOUND there is no lease ${leaseId}`
  expect(await refused(leases.enter({ leaseId }))).toContain(none)
  expect(await refused(it.jobs.start({ ...job, leaseId }))).toContain(none)
  expect(await refused(leases.enter({ leaseId }, 'ann'))).toContain('PERMISSION_DENIED')
})

test('a job that asks goes on, with what is below it and what waits for it', async () => {
  await using executor = await attach()
  const parent = await it.jobs.start(job)
  await executor.assigned(1)
  executor.say({ waiting: [{ jobId: parent.jobId, attempt: 1, waiting: true }] })
  await until(async () => (await stateOf(parent.jobId)) === JobState.JOB_STATE_WAITING)
  const asking = await it.jobs.start({ ...job, parentJobId: parent.jobId })
  const below = await it.jobs.start({ ...job, parentJobId: asking.jobId })
  const [, ofAsking, ofBelow] = await executor.assigned(3)
  const { leaseId } = await leases.create()
  expect(await refused(leases.enter({ leaseId }))).toContain('3 jobs of others')
  await leases.enter({ leaseId, jobId: asking.jobId })
  await it.jobs.start({ ...job, parentJobId: below.jobId })
  await executor.assigned(4)
  await finish(executor)
  expect([ofAsking?.jobId, ofBelow?.jobId].sort()).toEqual([asking.jobId, below.jobId].sort())
})

test('what becomes due, comes back from an executor or is started anew is held back too', async () => {
  const executor = await attach({ slots: 1 })
  const failing = await it.jobs.start({ ...job, retryPolicy: { maxAttempts: 2 } })
  const [attempt] = await executor.assigned(1)
  const later = await it.jobs.start({ ...job, delay: durationFrom(300) })
  const { leaseId } = await leases.create()
  const entered = leases.enter({ leaseId, timeout: durationFrom(60_000) })
  await until(async () => (await namespaces.get())?.exclusiveAskTime !== undefined)
  executor.say({ handedBack: attempt ? [{ jobId: attempt.jobId, attempt: 1 }] : [] })
  await entered
  await until(async () => (await stateOf(later.jobId)) === QUEUED)
  expect(await stateOf(failing.jobId)).toBe(QUEUED)
  await executor[Symbol.asyncDispose]()
  await using next = await attach({ auto: true })
  expect(next.assignments).toEqual([])
  await leases.leave({ leaseId })
  await it.jobs.wait([failing.jobId, later.jobId])
})

test('the limits of methods hold for whoever has the namespace', async () => {
  await using executor = await attach({ methods: ['test.limited'] })
  const limits = [{ method: 'test.limited', maxConcurrency: 2 }]
  await updateNamespace(it.scheduler.address, { limits })
  const leaseId = await enterAlone()
  const specs: Draft<JobSpec>[] = [1, 2, 3].map(() => ({ method: 'test.limited', leaseId }))
  await it.jobs.startMany(specs)
  await it.jobs.startMany([{ method: 'test.limited', automatic: true }])
  const [first] = await executor.assigned(2)
  const { rows } = await sql(
    `SELECT state FROM offstage.jobs WHERE method = 'test.limited' ORDER BY state`,
  )
  expect(rows.map(({ state }) => state)).toEqual([2, 2, 3, 3])
  if (first !== undefined) executor.succeed(first)
  await executor.assigned(3)
  await leases.leave({ leaseId })
  executor.succeed(...executor.assignments.slice(1))
  await executor.assigned(4)
  await finish(executor)
})

test('limits for each value of a key hold for what the holder started before there were any', async () => {
  await using idle = await attach({ methods: ['test.keyed'], slots: 0 })
  expect(idle.error).toBeUndefined()
  const leaseId = await enterAlone()
  await it.jobs.startMany([1, 2].map(() => ({ method: 'test.keyed', leaseId })))
  const rate = { rate: 100, ratePeriod: durationFrom(1_000) }
  const limits = [
    { method: 'test.keyed', keyExpression: 'owner', maxConcurrency: 1, ...rate },
    { method: 'test.limited', maxConcurrency: 2 },
  ]
  await updateNamespace(it.scheduler.address, { limits })
  await using executor = await attach({ methods: ['test.keyed'] })
  const [first] = await executor.assigned(1)
  const { rows } = await sql(
    `SELECT state, limit_key FROM offstage.jobs WHERE method = 'test.keyed' ORDER BY state DESC`,
  )
  expect(rows).toEqual([
    { state: 3, limit_key: '' },
    { state: 2, limit_key: null },
  ])
  if (first !== undefined) executor.succeed(first)
  await executor.assigned(2)
  await leases.leave({ leaseId })
  await finish(executor)
})

test('starts by SQL are refused with the holder, and automatic ones wait', async () => {
  await using executor = await attach({ auto: true })
  const leaseId = await enterAlone()
  const start = (options: object) =>
    sql(`SELECT offstage.start_job('default', 'test.job', '{}', $1::jsonb) AS id`, [options])
  const kept = await start({}).catch((error: { code?: string; message: string }) => error)
  expect(kept).toMatchObject({
    code: 'OS013',
    message: expect.stringMatching(/^dev has namespace/),
  })
  const { rows } = await start({ automatic: true })
  expect(await stateOf(String(rows[0]?.id))).toBe(QUEUED)
  await expect(start({ automatic: 'yes' })).rejects.toThrow('automatic must be true or false')
  expect(executor.assignments).toEqual([])
  await leases.leave({ leaseId })
  await executor.assigned(1)
})

test.each([
  ['skip', OverlapPolicy.OVERLAP_POLICY_SKIP, 1],
  ['allow', OverlapPolicy.OVERLAP_POLICY_ALLOW, 2],
] as const)(
  'a schedule whose policy is to %s has its due times caught up when the mode is over, and none begins before',
  async (scheduleId, overlapPolicy, jobs) => {
    await using executor = await attach({ auto: true })
    const timing = { $case: 'cron', value: '0 0 * * *' } as const
    await schedules.create({ scheduleId, timing, job, overlapPolicy })
    const leaseId = await enterAlone()
    const carryOut = async (agoMs: number) => {
      await schedules.makeDue(scheduleId, agoMs)
      await until(async () => {
        const { nextRunTime } = await schedules.get({ scheduleId })
        return (nextRunTime?.getTime() ?? 0) > Date.now()
      })
    }
    await carryOut(2_000)
    await carryOut(1_000)
    const waiting = await schedules.jobs(scheduleId)
    expect(waiting.filter(({ state }) => state === QUEUED)).toHaveLength(jobs)
    expect(executor.assignments).toEqual([])
    await leases.leave({ leaseId })
    await it.jobs.wait(waiting.map(({ id }) => id))
    expect(executor.assignments).toHaveLength(jobs)
  },
)

const SOME = '01234567-89ab-7def-8123-456789abcdef'

test.each([
  ['no lease', {}, 'lease_id must be the id of a lease, a lower-case UUID'],
  [
    'a long timeout',
    { leaseId: SOME, timeout: durationFrom(60_001) },
    'timeout must be within 0 and 60 s',
  ],
  [
    'a cancel that is not waited for',
    { leaseId: SOME, cancelRunning: true },
    'timeout must be given',
  ],
  ['a job that is none', { leaseId: SOME, jobId: 'x' }, 'job_id must be a job id'],
])('%s is refused, naming the field', async (_, asked, said) => {
  expect(await refused(leases.enter(asked))).toContain(`INVALID_ARGUMENT ${said}`)
})

test('a job that does not run, or is not the caller’s, enters nothing', async () => {
  const { leaseId } = await leases.create()
  expect(await refused(leases.enter({ leaseId, jobId: SOME }))).toContain(
    `NOT_FOUND there is no job ${SOME}`,
  )
  expect(await refused(leases.leave({ force: true, leaseId }))).toContain(
    'INVALID_ARGUMENT lease_id must be empty with force',
  )
  expect(await refused(leases.leave({ force: true }, 'svc:service'))).toContain(
    'force is for administrators',
  )
})
