/** What a schedule is held to when it is created and changed. */
import type { Schedule, ScheduleTerms } from '../domain/schedule.ts'
import { nextDueOf } from '../domain/schedule-run.ts'
import { violationsOf } from '../domain/start-command.ts'
import { violationsOfTiming } from '../domain/timing-rules.ts'
import type { CheckStart } from '../jobs/check-start.ts'
import { invalidFields } from '../refusals.ts'
import { starterOf } from './plan-jobs.ts'
import { scheduledCommand } from './scheduled-job.ts'
import { inTurns } from './turns.ts'

type Times = Pick<ScheduleTerms, 'timing'>

export async function isTimingRefused({ timing }: Times, now: Date): Promise<boolean> {
  return (await inTurns(violationsOfTiming(timing, now))).length > 0
}

export async function checkTiming({ timing }: Times, now: Date): Promise<void> {
  const violations = await inTurns(violationsOfTiming(timing, now))
  if (violations.length > 0) throw invalidFields(violations)
}

/** Throws what a start of its next job would be refused with. */
export async function checkJob(
  checkStart: CheckStart,
  schedule: Pick<Schedule, 'namespace' | 'id' | 'uid' | 'owner' | 'roles' | 'terms'>,
  now: Date,
): Promise<void> {
  const due = (await inTurns(nextDueOf(schedule, now)))?.due ?? now
  const command = scheduledCommand(schedule, due)
  const violations = violationsOf({ ...command, labels: schedule.terms.job.labels })
  if (violations.length > 0) {
    throw invalidFields(
      violations.map(({ field, description }) => ({ field: `schedule.job.${field}`, description })),
    )
  }
  const checked = await checkStart(starterOf(schedule), command)
  if ('refusal' in checked) throw checked.refusal
}
