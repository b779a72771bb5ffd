/**
 * Looks for schedules that are due, on every replica: at the time of the next one, when one was changed, and by a sweep behind both
 * (guarantee 4). Of replicas that find the same one creates its jobs (store/schedule-runs.ts).
 */
import type { CanceledJob, ChangedJob } from '../domain/held-job.ts'
import { JobState } from '../domain/job-state.ts'
import type { Schedule } from '../domain/schedule.ts'
import { dueNowOf, overlapOf, WAITING_JOBS_MAX } from '../domain/schedule-run.ts'
import type { CheckStart } from '../jobs/check-start.ts'
import type { DueSchedule, PlannedJob, ScheduleRun, ScheduleRunStore } from '../ports/schedules.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import { planJob } from './plan-jobs.ts'

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
  return {
    async run(signal) {
      clearTimeout(timer)
      while (!signal.aborted) {
        const ms = await store.msUntilNext()
        if (ms === undefined || ms > WAIT_MS_MAX) return
        if (ms > 0) {
          timer = setTimeout(() => wake(), Math.ceil(ms)).unref()
          return
        }
        // What is in hand elsewhere, or cannot be planned here, is left to the sweep.
        if (!(await runDue(options))) return
      }
    },
    onHint(listener) {
      wake = listener
    },
    wake: () => wake(),
  }
}

/** Whether there may be more. */
async function runDue(options: RunSchedulesOptions): Promise<boolean> {
  const { store, leaseMs, changed, canceled } = options
  const { now, due } = await store.readDue(BATCH)
  if (due.length === 0) return false
  const runs: ScheduleRun[] = []
  for (const each of due) {
    // One that cannot be planned, such as by a time zone that this replica does not know, holds up no other.
    await plan(options, each, now).then((run) => runs.push(run), options.onError)
  }
  const outcome = await retryConflicts(() => store.carryOut(runs, leaseMs))
  canceled(outcome.canceled)
  changed([...outcome.canceled, ...outcome.created])
  // Of what another replica has in hand it goes on itself.
  return outcome.done.length > 0
}

async function plan(
  { checkStart }: RunSchedulesOptions,
  { schedule, openJobs }: DueSchedule,
  now: Date,
): Promise<ScheduleRun> {
  const { terms, dueTime = now } = schedule
  const { failuresInRow, lastFailure } = countFailures(schedule.failuresInRow, openJobs)
  const open = openJobs.filter(({ state }) => state < JobState.succeeded).map(({ id }) => id)
  const none = { schedule, jobs: [], cancels: [], lastDueTime: undefined, openJobs: open }
  if (terms.pauseAfterFailures > 0 && failuresInRow >= terms.pauseAfterFailures) {
    const pauseReason = `its last ${failuresInRow} jobs failed, the newest with ${lastFailure}`
    return { ...none, next: undefined, failuresInRow, pauseReason }
  }
  const { due, next } = dueNowOf(schedule, dueTime, now)
  const overlap = overlapOf(terms.overlap, open.length, due)
  const jobs: PlannedJob[] = []
  for (const [place, time] of overlap.due.entries()) {
    const waits = overlap.waits && (open.length > 0 || place > 0)
    jobs.push(await planJob(checkStart, schedule, time, waits))
  }
  const openNow = [...open, ...jobs.map(({ job }) => job.id)]
  return {
    ...{ schedule, jobs, next, failuresInRow, pauseReason: undefined },
    cancels: overlap.cancelsOpen ? open : [],
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
