/** What time brings about, and what sweeps make of it; the clock goes on in hours, and back. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { CancelOutcome } from '../../domain/cancel-outcome.ts'
import { JobKind } from '../../domain/job-kind.ts'
import { isTerminal, JobState } from '../../domain/job-state.ts'
import { command, type JobCommand } from './command.ts'
import { isHeld, type Model, type ModelJob } from './model.ts'
import { type Real, stepClock } from './real.ts'

const HOUR_MS = 3_600_000
const LIMIT = 1_000

export const steps: fc.Arbitrary<JobCommand> = fc.constantFrom(1, 1, 2, -1).map((hours) =>
  command(`${hours} hours pass`, async (model, real) => {
    await stepClock(real, hours)
    model.step(hours)
  }),
)

interface Sweep {
  readonly run: (real: Real) => Promise<readonly { readonly id: string }[]>
  readonly picks: (model: Model) => readonly ModelJob[]
  readonly moves: (job: ModelJob, model: Model) => void
}

const isPast = (time: number | undefined, { now }: Model) => time !== undefined && time <= now
const isUnstarted = ({ state }: ModelJob) =>
  state === JobState.scheduled || state === JobState.queued
const fail = (job: ModelJob, model: Model) => model.finish(job, JobState.failed)

const SWEEPS: Readonly<Record<string, Sweep>> = {
  'promote what is due': {
    run: ({ sweeps }) => sweeps.promoteDue(LIMIT),
    picks: (model) =>
      model.all.filter(
        (job) => job.state === JobState.scheduled && !job.behind && isPast(job.due, model),
      ),
    moves: (job) => {
      job.state = JobState.queued
    },
  },
  'hand keys on': {
    run: ({ sweeps }) => sweeps.promoteBehindKey(LIMIT),
    picks: nextOfKeys,
    moves: (job, { now }) => {
      job.behind = false
      if (job.due === undefined || job.due <= now) job.state = JobState.queued
    },
  },
  'queue deadlines': {
    run: ({ sweeps }) => sweeps.expireQueued(LIMIT),
    picks: (model) =>
      model.all.filter(
        (job) =>
          isUnstarted(job) &&
          job.attempt === job.renewedAttempt &&
          isPast(job.queueDeadline, model),
      ),
    moves: fail,
  },
  'total deadlines': {
    run: ({ sweeps }) => sweeps.expireTotal(LIMIT),
    picks: (model) =>
      model.all.filter((job) => isUnstarted(job) && isPast(job.totalDeadline, model)),
    moves: fail,
  },
  'overdue cancels': {
    run: ({ sweeps }) => sweeps.forceCanceled(LIMIT),
    picks: overdueCancels,
    moves: (job, model) => {
      job.outcome = CancelOutcome.stopped
      model.finish(job, JobState.canceled)
    },
  },
}

/** One for each key that nobody holds. */
function nextOfKeys(model: Model): ModelJob[] {
  const waiting = model.all.filter((job) => job.behind && job.state === JobState.scheduled)
  return waiting.filter((job) => {
    const { holder, waiting: all } = model.ofKey(job.method, job.key)
    return holder === undefined && all[0] === job
  })
}

/** The time of one that lies ahead begins anew. */
function overdueCancels(model: Model): ModelJob[] {
  return model.all.filter((job) => {
    const { cancel } = job
    if (!isHeld(job) || cancel === undefined) return false
    if (cancel.hour > model.now) {
      cancel.deadline = model.now + cancel.deadline - cancel.hour
      cancel.hour = model.now
    }
    return cancel.deadline <= model.now
  })
}

export const sweeps: fc.Arbitrary<JobCommand> = fc
  .constantFrom(...Object.entries(SWEEPS))
  .map(([name, { run, picks, moves }]) =>
    command(name, async (model, real) => {
      const changed = await run(real)
      const picked = picks(model)
      const ids = (jobs: readonly { readonly id: string }[]) => jobs.map(({ id }) => id).toSorted()
      expect(ids(changed)).toEqual(ids(picked))
      for (const job of picked) moves(job, model)
    }),
  )

export const bucketSweeps: fc.Arbitrary<JobCommand> = fc.constant(
  command('forget full buckets', async (model, real) => {
    await real.sweeps.forgetFullBuckets()
    model.buckets.forget(model.limits, model.now)
  }),
)

const FINISHED = [JobState.succeeded, JobState.failed, JobState.canceled] as const

/** What ended so and before this hour is removed, but children of what goes on. */
export const retentions: fc.Arbitrary<JobCommand> = fc.constantFrom(...FINISHED).map((state) =>
  command(`remove those of state ${state}`, async (model, real) => {
    const toPage = (await real.retention.pages()) + 1
    const before = (Date.now() - HOUR_MS / 2) * 1_000
    const group = { namespace: 'default', kind: JobKind.program, state }
    const removed = await real.retention.remove({ fromPage: 0, toPage }, group, before, LIMIT)
    const old = model.all.filter((job) => job.state === state && isRemovable(job, model))
    expect(removed).toBe(old.length)
    for (const { id } of old) model.jobs.delete(id)
  }),
)

function isRemovable({ pinned, finishHour, parentId }: ModelJob, model: Model): boolean {
  const parent = model.jobs.get(parentId)
  const isOld = finishHour !== undefined && finishHour < model.now
  return isOld && !pinned && (parent === undefined || isTerminal(parent.state))
}
