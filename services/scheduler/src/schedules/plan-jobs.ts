/** Jobs of due times, checked as starts are. */
import type { Actor, Role } from '@offstage/kit/auth'
import type { Refusal } from '@offstage/kit/grpc'
import type { JobError } from '../domain/job.ts'
import type { Schedule } from '../domain/schedule.ts'
import type { StartCommand } from '../domain/start-command.ts'
import type { CheckStart } from '../jobs/check-start.ts'
import type { PlannedJob } from '../ports/schedules.ts'
import { scheduledCommand, scheduledJobId } from './scheduled-job.ts'

/** Whom its jobs run for, in the roles the schedule was given. */
export function starterOf({ owner, roles }: Pick<Schedule, 'owner' | 'roles'>): Actor {
  return { user: owner, roles: roles as readonly Role[], namespaces: 'all' }
}

/** @param waits for who holds its key */
export async function planJob(
  checkStart: CheckStart,
  schedule: Schedule,
  due: Date,
  waits: boolean,
): Promise<PlannedJob> {
  const id = scheduledJobId(schedule.uid, due)
  const command = { ...scheduledCommand(schedule, due), isAutomatic: true }
  const checked = await checkStart(starterOf(schedule), command)
  if ('refusal' in checked) return { job: newJob(id, command), error: errorOf(checked.refusal) }
  return { job: newJob(id, checked), waits }
}

function newJob(id: string, command: StartCommand) {
  return { id, command, lane: command.lane, attachmentId: undefined }
}

function errorOf({ message, reason }: Refusal): JobError {
  return { brief: message.slice(0, 1_000), detail: '', reason, retryable: false }
}
