/**
 * Looks for schedules that are due, on every replica: at the time of the next one, when one was changed, and by a sweep behind both
 * (guarantee 4). Of replicas that find the same one creates its jobs (store/schedule-runs.ts).
 */
import type { CanceledJob, ChangedJob } from '../domain/held-job.ts'
import { JobState } from '../domain/job-state.ts'
import type { Schedule } from '../domain/schedule.ts'
import { dueNowOf, overlapOf, WAITING_JOBS_MAX } from '../domain/schedule-run.ts'
import type { CheckStart } from '../jobs/check-start.ts'
import type {
  DueSchedule,
  PlannedJob,
  RunOutcome,
  ScheduleRun,
  ScheduleRunStore,
} from '../ports/schedules.ts'
import { isDataError } from '../statements/persist.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import { planJob } from './plan-jobs.ts'
import { createTurns, inTurns, type Turns } from './turns.ts'

export interface RunSchedulesOptions {
  readonly store: ScheduleRunStore
  readonly checkStart: CheckStart
  readonly leaseMs: number
  changed(jobs: readonly ChangedJob[]): void
  canceled(jobs: readonly CanceledJob[]): void
  onError(error: unknown): void
}

export interface RunSchedules {
  /** A sweep. */
  run(signal: AbortSignal): Promise<void>
  /** Is told when there is something for it. */
  onHint(wake: () => void): void
  /** Schedules were changed, here or elsewhere. */
  wake(): void
}

/** Of one transaction. */
const BATCH = 500
/** What the next one is waited for at most; the sweep comes before. */
const WAIT_MS_MAX = 60_000

export function createRunSchedules(options: RunSchedulesOptions): RunSchedules {
  const { store } = options
  let wake = () => {}
  let timer: NodeJS.Timeout | undefined
  const wakeIn = (ms: number | undefined) => {
    if (ms === undefined || ms > WAIT_MS_MAX) return
    timer = setTimeout(() => wake(), Math.max(1, Math.ceil(ms))).unref()
  }
  return {
    async run(signal) {
      clearTimeout(timer)
      while (!signal.aborted) {
        const ms = await store.msUntilNext()
        if (ms === undefined || ms > 0) return wakeIn(ms)
        const { done, now } = await runAllDue(options, signal)
        // What is in hand elsewhere, or cannot be done here, is left to the sweep, and keeps no other from its time.
        if (done === 0) return wakeIn(await store.msUntilNext(now))
      }
    },
    onHint(listener) {
      wake = listener
    },
    wake: () => wake(),
  }
}

/** Goes through all that are due, past those that stay where they are; how many went on. */
async function runAllDue(
  options: RunSchedulesOptions,
  signal: AbortSignal,
): Promise<{ readonly done: number; readonly now: Date }> {
  let done = 0
  for (let skip = 0; ; ) {
    const { now, count, due } = await options.store.readDue(BATCH, skip)
    const outcome = await runDue(options, due, now)
    done += outcome.done.length
    skip += count - outcome.done.length
    if (count < BATCH || signal.aborted) return { done, now }
  }
}

async function runDue(
  options: RunSchedulesOptions,
  due: readonly DueSchedule[],
  now: Date,
): Promise<RunOutcome> {
  const { changed, canceled } = options
  const runs: ScheduleRun[] = []
  const turns = createTurns()
  for (const each of due) {
    // One that cannot be planned, such as by a time zone that this replica does not know, holds up no other.
    await plan(options, each, now, turns).then((run) => runs.push(run), options.onError)
  }
  const outcome = await carryOut(options, runs)
  canceled(outcome.canceled)
  changed([...outcome.canceled, ...outcome.created])
  return outcome
}

const NOTHING: RunOutcome = { done: [], created: [], canceled: [] }

/** One whose job the database refuses holds up no other either: what fails together is tried in halves. */
async function carryOut(
  options: RunSchedulesOptions,
  runs: readonly ScheduleRun[],
): Promise<RunOutcome> {
  const { store, leaseMs, onError } = options
  if (runs.length === 0) return NOTHING
  try {
    return await retryConflicts(() => store.carryOut(runs, leaseMs))
  } catch (error) {
    if (!isDataError(error)) throw error
    if (runs.length === 1) {
      onError(error)
      return NOTHING
    }
  }
  const half = runs.length >> 1
  const [first, second] = [
    await carryOut(options, runs.slice(0, half)),
    await carryOut(options, runs.slice(half)),
  ]
  return {
    done: [...first.done, ...second.done],
    created: [...first.created, ...second.created],
    canceled: [...first.canceled, ...second.canceled],
  }
}

async function plan(
  { checkStart }: RunSchedulesOptions,
  { schedule, openJobs }: DueSchedule,
  now: Date,
  turns: Turns,
): Promise<ScheduleRun> {
  const { terms, dueTime = now } = schedule
  const { failuresInRow, lastFailure } = countFailures(schedule.failuresInRow, openJobs)
  const open = openJobs.filter(({ state }) => state < JobState.succeeded).map(({ id }) => id)
  const none = { schedule, jobs: [], cancels: [], lastDueTime: undefined, openJobs: open }
  if (terms.pauseAfterFailures > 0 && failuresInRow >= terms.pauseAfterFailures) {
    const pauseReason = `its last ${failuresInRow} jobs failed, the newest with ${lastFailure}`
    return { ...none, next: undefined, failuresInRow, pauseReason }
  }
  const { due, next } = await inTurns(dueNowOf(schedule, dueTime, now), turns)
  const overlap = overlapOf(terms.overlap, open.length, due)
  const jobs: PlannedJob[] = []
  for (const [place, time] of overlap.due.entries()) {
    await turns.next()
    const waits = overlap.waits && (open.length > 0 || place > 0)
    jobs.push(await planJob(checkStart, schedule, time, waits))
  }
  const planned = new Set(jobs.map(({ job }) => job.id))
  // A due time that comes again has its job already.
  const before = open.filter((id) => !planned.has(id))
  const openNow = [...before, ...planned]
  return {
    ...{ schedule, jobs, next, failuresInRow, pauseReason: undefined },
    cancels: overlap.cancelsOpen ? before : [],
    lastDueTime: due.at(-1),
    openJobs: openNow.slice(-WAITING_JOBS_MAX),
  }
}

function countFailures(before: Schedule['failuresInRow'], jobs: DueSchedule['openJobs']) {
  let failuresInRow = before
  let lastFailure = 'an error'
  for (const { state, reason } of jobs) {
    if (state === JobState.succeeded) failuresInRow = 0
    if (state !== JobState.failed) continue
    failuresInRow += 1
    lastFailure = reason || lastFailure
  }
  return { failuresInRow, lastFailure }
}
