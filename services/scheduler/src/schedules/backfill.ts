import { dueTimesOf } from '../domain/due-times.ts'
import type { Schedule } from '../domain/schedule.ts'
import { timesWithin, WAITING_JOBS_MAX } from '../domain/schedule-run.ts'
import type { Caller } from '../jobs/caller.ts'
import type { PlannedJob } from '../ports/schedules.ts'
import { invalidField } from '../refusals.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import { planJob } from './plan-jobs.ts'
import { scheduleNotFound } from './refusals.ts'
import { isSerial } from './scheduled-job.ts'
import type { SchedulesOptions } from './schedules.ts'
import { createTurns, GO_ON_MAX, inTurns } from './turns.ts'

/** Creates the jobs of past due times, by the terms as they are now; of what has a job already nothing is created. */
export async function backfill(
  { store, runs, checkStart, changed }: SchedulesOptions,
  caller: Caller,
  schedule: Schedule,
  { begin, end }: { readonly begin: Date; readonly end: Date },
): Promise<{ readonly jobIds: readonly string[]; readonly existing: number }> {
  if (begin.getTime() < 0) throw invalidField('begin_time', 'must not be before 1970')
  if (end <= begin) throw invalidField('end_time', 'must be after begin_time')
  if (end > (await store.now())) throw invalidField('end_time', 'must not be in the future')
  const next = dueTimesOf(schedule.terms.timing)
  const limits = { max: WAITING_JOBS_MAX, goOnMax: GO_ON_MAX }
  const turns = createTurns()
  const within = timesWithin(next, begin.getTime(), end.getTime(), limits)
  const { times, isAll } = await inTurns(within, turns)
  if (!isAll) {
    throw invalidField(
      'end_time',
      `leaves more than ${WAITING_JOBS_MAX} due times, or too much that is excluded: ask for them part by part`,
    )
  }
  const jobs: PlannedJob[] = []
  for (const time of times) {
    await turns.next()
    jobs.push(await planJob(checkStart, schedule, time, isSerial(schedule)))
  }
  const created = await retryConflicts(() => runs.createJobs(schedule, jobs, caller))
  if (created === undefined) throw scheduleNotFound(schedule.id)
  changed(created)
  const ids = new Set(created.map(({ id }) => id))
  const jobIds = jobs.map(({ job }) => job.id).filter((id) => ids.has(id))
  return { jobIds, existing: times.length - jobIds.length }
}
