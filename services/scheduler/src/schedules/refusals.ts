/** What is said of schedules that are not there, not free or not as they were, and of their starts that were refused. */
import { Refusal } from '@offstage/kit/grpc'
import { BRIEFS_OF_PAYLOAD } from '../domain/hidden-payload.ts'

/** Also the answer for one of another owner. */
export function scheduleNotFound(id: string): Refusal {
  return new Refusal({
    reason: 'SCHEDULE_NOT_FOUND',
    message: `there is no schedule ${id} in this namespace that you may see`,
    metadata: { schedule_id: id },
  })
}

export function scheduleIdTaken(id: string): Refusal {
  return new Refusal({
    reason: 'SCHEDULE_ID_TAKEN',
    message: `there is a schedule ${id} in this namespace already; update it, or take another id`,
    metadata: { schedule_id: id },
  })
}

export function scheduleChanged(id: string): Refusal {
  return new Refusal({
    reason: 'ETAG_MISMATCH',
    message: `the schedule ${id} was changed since it was read; read it again and decide anew`,
    metadata: { schedule_id: id },
  })
}

export function scheduleVersionReused(id: string, version: number): Refusal {
  return new Refusal({
    reason: 'SCHEDULE_VERSION_REUSED',
    message: `the schedule ${id} was declared in another way under version ${version}, and stays so; raise the version with what it says`,
    metadata: { schedule_id: id, version: String(version) },
  })
}

export function schedulesFull(namespace: string, max: number): Refusal {
  return new Refusal({
    reason: 'SCHEDULES_FULL',
    message: `the namespace ${namespace} has ${max} schedules, as many as it may have; delete some that are not needed`,
    metadata: { namespace, max: String(max) },
  })
}

export function ownerSchedulesFull(owner: string, namespace: string, max: number): Refusal {
  return new Refusal({
    reason: 'QUOTA_EXCEEDED',
    message: `${owner} has ${max} schedules in the namespace ${namespace}, as many as one owner may have; delete some that are not needed`,
    metadata: { limit: 'owner_schedules', owner, namespace, max: String(max) },
  })
}

export function scheduleUnreadable(id: string, fault: string): Refusal {
  return new Refusal({
    reason: 'SCHEDULE_UNREADABLE',
    message: `what is stored of the schedule ${id} cannot be read: ${fault}`,
    metadata: { schedule_id: id },
  })
}

/** What is left of it for whoever may not see the parameters that are refused (row J23). */
export function payloadRefusalSeen(refusal: Refusal): Refusal {
  const { reason, metadata } = refusal
  const ofQueue = reason === 'QUEUE_FULL' && 'key' in metadata
  const message = ofQueue
    ? 'As many jobs wait to begin as its limits allow.'
    : BRIEFS_OF_PAYLOAD.get(reason)
  return message === undefined ? refusal : new Refusal({ reason, message })
}
