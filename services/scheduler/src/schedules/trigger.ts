import { mayTouch } from '@offstage/kit/auth'
import type { Schedule } from '../domain/schedule.ts'
import { canBeJobId, soughtFrom } from '../domain/start-command.ts'
import type { Caller } from '../jobs/caller.ts'
import { overloaded } from '../refusals.ts'
import { starterOf } from './plan-jobs.ts'
import { payloadRefusalSeen } from './refusals.ts'
import { scheduledCommand, triggerRequestId } from './scheduled-job.ts'
import type { SchedulesOptions } from './schedules.ts'

const NOW = AbortSignal.abort()

/** Starts a job of the schedule beside its due times; by the same request never a second one. */
export async function triggerJob(
  options: Pick<SchedulesOptions, 'store' | 'startJobs' | 'jobs' | 'newId'>,
  caller: Caller,
  schedule: Schedule,
  requestId: string,
): Promise<string> {
  const { store } = options
  const due = await store.now()
  const command = {
    ...scheduledCommand(schedule, due),
    requestId: requestId === '' ? options.newId() : triggerRequestId(schedule.uid, requestId),
  }
  // The due time may be among the parameters, and a repeat comes later.
  const find = async () => {
    if (requestId === '') return undefined
    const [existing] = await options.jobs.findExisting([soughtFrom(command)])
    return existing?.by === 'request-id' ? existing.id : undefined
  }
  const before = await find()
  if (before !== undefined) {
    // Whoever started it, and recorded that, may have died before it was noted.
    await store.expectJob(schedule, before)
    return before
  }
  // Should nobody come to note it afterwards: the policy asks for its jobs at the next due time, and what was done is on record.
  const expected = canBeJobId(command.requestId) ? command.requestId : undefined
  const act = await store.expectTrigger(schedule, expected, caller)
  const starter = { ...starterOf(schedule), peer: caller.peer, call: caller.call }
  const [started] = await options.startJobs(starter, [command], 0, NOW)
  if (started !== undefined && !('refusal' in started)) {
    await store.noteJob(schedule, started.id)
    return started.id
  }
  if (act !== undefined) await store.takeBackAct(act)
  const meanwhile = await find()
  if (meanwhile !== undefined) return meanwhile
  const refusal = started?.refusal ?? overloaded('starts')
  throw mayTouch(caller, 'jobs.payload', schedule) ? refusal : payloadRefusalSeen(refusal)
}
