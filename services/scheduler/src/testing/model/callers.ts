/** What callers do to jobs that are there, and operators to what may run. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { CancelOutcome } from '../../domain/cancel-outcome.ts'
import type { JobId } from '../../domain/ids.ts'
import { isTerminal, JobState } from '../../domain/job-state.ts'
import type { MethodLimit } from '../../domain/method-limit.ts'
import { command, type JobCommand } from './command.ts'
import {
  type Bound,
  GRACE_HOURS,
  isHeld,
  LIMITED,
  type Limits,
  type Model,
  type ModelJob,
  PLAIN,
} from './model.ts'
import { BY, compareGates, type Real } from './real.ts'

const HOUR_MS = 3_600_000
const nth = fc.nat(30)
const hasJobs = (model: Readonly<Model>) => model.jobs.size > 0

export const cancels: fc.Arbitrary<JobCommand> = fc
  .record({ nth, cascade: fc.boolean() })
  .map((of) =>
    command(`cancel ${JSON.stringify(of)}`, (model, real) => cancel(of, model, real), hasJobs),
  )

async function cancel(of: { nth: number; cascade: boolean }, model: Model, real: Real) {
  const job = model.nthJob(of.nth)
  if (job !== undefined) await cancelJob(job, of.cascade, model, real)
}

export async function cancelJob(job: ModelJob, cascade: boolean, model: Model, real: Real) {
  await real.calls.cancel({
    ...{ namespace: 'default', jobId: job.id, owner: undefined, by: BY, reason: 'because' },
    ...{ graceMs: GRACE_HOURS * HOUR_MS, leaseMs: 0, cascade },
  })
  const seen = new Set([job])
  for (const each of seen) {
    mark(each, cascade, model)
    for (const child of model.all) {
      if (child.parentId === each.id && (cascade || child.cancelWithParent)) seen.add(child)
    }
  }
}

/** The first mark stands, but for becoming a cascade. */
function mark(job: ModelJob, cascade: boolean, model: Model): void {
  const { cancel: before } = job
  if (isTerminal(job.state) || (before !== undefined && (!cascade || before.cascade))) return
  const fresh = { cascade, hour: model.now, deadline: model.now + GRACE_HOURS }
  job.cancel = before === undefined ? fresh : { ...before, cascade }
  if (isHeld(job)) return
  job.outcome = CancelOutcome.neverStarted
  model.finish(job, JobState.canceled)
}

export const retries: fc.Arbitrary<JobCommand> = fc
  .record({ nth, requestId: fc.constantFrom('', 'q', 'q2') })
  .map((of) =>
    command(`retry ${JSON.stringify(of)}`, (model, real) => retry(of, model, real), hasJobs),
  )

async function retry(of: { nth: number; requestId: string }, model: Model, real: Real) {
  const job = model.nthJob(of.nth)
  if (job === undefined) return
  const { requestId } = of
  const done = await real.calls.retry({
    ...{
      namespace: 'default',
      jobId: job.id as JobId,
      owner: undefined,
      requestId,
      requiredVersion: undefined,
      by: BY,
    },
  })
  const { holder, waiting } = model.ofKey(job.method, job.key)
  const inTheWay = holder ?? waiting[0]
  if (job.retriedBy.has(requestId)) expect(done.kind).toBe('repeated')
  else if (!isTerminal(job.state) || job.state === JobState.succeeded) {
    expect(done).toEqual({ kind: 'not-retryable', state: job.state })
  } else if (inTheWay !== undefined) {
    expect(done).toMatchObject({ kind: 'key-taken', holder: { id: inTheWay.id } })
  } else {
    expect(done.kind).toBe('retried')
    startAnew(job, requestId, model)
  }
}

function startAnew(job: ModelJob, requestId: string, model: Model): void {
  const then = (hours: number | undefined) => (hours === undefined ? undefined : model.now + hours)
  if (requestId !== '') job.retriedBy.add(requestId)
  job.state = JobState.queued
  job.failures = 0
  job.crashes.clear()
  job.renewedAttempt = job.attempt
  job.attachedAfter = job.hasAttached ? job.attempt : -1
  if (!model.countsForParent(job)) job.attachedTo = undefined
  job.due = undefined
  job.finishHour = undefined
  job.behind = false
  job.queueDeadline = then(job.queueHours)
  job.totalDeadline = then(job.totalHours)
  job.cancel = undefined
  job.outcome = CancelOutcome.unknown
}

export const removals: fc.Arbitrary<JobCommand> = nth.map((of) =>
  command(
    `delete ${of}`,
    async (model, real) => {
      const job = model.nthJob(of)
      if (job === undefined) return
      const done = await real.history.remove(changeOf(job))
      // What its parent is to fail by stays until it has.
      const isKept = job.state !== JobState.succeeded && model.countsForParent(job)
      const ended = isKept ? 'keeps-parent' : 'removed'
      expect(done).toBe(isTerminal(job.state) ? ended : 'unfinished')
      if (done === 'removed') model.jobs.delete(job.id)
    },
    hasJobs,
  ),
)

export const pins: fc.Arbitrary<JobCommand> = nth.map((of) =>
  command(
    `pin ${of}, or unpin it`,
    async (model, real) => {
      const job = model.nthJob(of)
      if (job === undefined) return
      job.pinned = !job.pinned
      expect(await real.history.pin(changeOf(job), job.pinned)).toBe(true)
    },
    hasJobs,
  ),
)

const changeOf = ({ id }: ModelJob) => ({
  ...{ namespace: 'default', jobId: id as JobId, owner: undefined, by: BY },
})

export const pauses: fc.Arbitrary<JobCommand> = fc
  .record({
    on: fc.constantFrom(true, false, false),
    what: fc.constantFrom('namespace', '', 'p', PLAIN, LIMITED),
  })
  .map(({ on, what }) =>
    command(`${on ? 'pause' : 'resume'} '${what}'`, async (model, real) => {
      const changed = await setPause(on, what, real)
      expect(changed).toBe(isPaused(what, model) !== on)
      note(on, what, model)
      await gatesChanged(model, real)
    }),
  )

type Gate = 'namespace' | '' | 'p' | typeof PLAIN | typeof LIMITED

function setPause(on: boolean, what: Gate, { gates }: Real): Promise<boolean> {
  if (what === 'namespace') {
    return on ? gates.pauseNamespace('default', BY) : gates.resumeNamespace('default', BY)
  }
  if (what === '' || what === 'p') {
    return on ? gates.pausePool('default', what, BY) : gates.resumePool('default', what, BY)
  }
  return on ? gates.pauseMethod('default', what, BY) : gates.resumeMethod('default', what, BY)
}

function isPaused(what: Gate, { paused }: Model): boolean {
  if (what === 'namespace') return paused.namespace
  return what === '' || what === 'p' ? paused.pools.has(what) : paused.methods.has(what)
}

function note(on: boolean, what: Gate, { paused }: Model): void {
  if (what === 'namespace') paused.namespace = on
  else if (what === '' || what === 'p') paused.pools[on ? 'add' : 'delete'](what)
  else paused.methods[on ? 'add' : 'delete'](what)
}

const bound: fc.Arbitrary<Bound> = fc.record({
  max: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  rate: fc.option(
    fc.record({
      count: fc.integer({ min: 1, max: 2 }),
      hours: fc.integer({ min: 1, max: 2 }),
      burst: fc.integer({ min: 1, max: 3 }),
    }),
    { nil: undefined },
  ),
})

/** So many at most, or so many an hour, for the method as a whole, for each value of its key, or none. */
export const limitings: fc.Arbitrary<JobCommand> = fc
  .record({
    whole: fc.option(
      bound.filter(({ max, rate }) => max !== undefined || rate !== undefined),
      { nil: undefined },
    ),
    perKey: fc.option(bound, { nil: undefined }),
  })
  .map((limits) =>
    command(`limit to ${JSON.stringify(limits)}`, async (model, real) => {
      const set = limitsOf(limits)
      const change = { etag: undefined, retention: undefined, limits: set }
      await real.namespaces.update('default', change, BY)
      model.limits = set.length === 0 ? undefined : limits
      model.windows.clear()
      model.turns.clear()
      await gatesChanged(model, real)
    }),
  )

function limitsOf({ whole, perKey }: Limits): MethodLimit[] {
  const limit = (keyExpression: string, of: Bound | undefined): MethodLimit[] => {
    if (of === undefined) return []
    const { max: concurrencyMax, rate } = of
    const stored = rate && { ...rate, periodMs: rate.hours * HOUR_MS }
    return [{ method: LIMITED, keyExpression, concurrencyMax, rate: stored }]
  }
  return [...limit('', whole), ...limit('owner', perKey)]
}

/** That they are other ones shows by their number alone. */
async function gatesChanged(model: Model, real: Real): Promise<void> {
  const { epoch } = await real.gates.read()
  expect(epoch).toBeGreaterThanOrEqual(model.epoch)
  model.epoch = epoch
  await compareGates(model, real)
}

export const looks: fc.Arbitrary<JobCommand> = fc.constant(
  command('look at the gates', async (model) => {
    model.seenEpoch = model.epoch
  }),
)
