/** What is said of starts that meet what is in their way. */
import { Refusal } from '@offstage/kit/grpc'
import type { LimitedQueue } from '../domain/method-limit.ts'

export function queueFull({ method, key, queuedMax }: LimitedQueue): Refusal {
  const of = key === undefined ? method : `${method} with the limit key "${key}"`
  return new Refusal({
    reason: 'QUEUE_FULL',
    message: `${queuedMax} jobs of ${of} wait to begin, as many as its limits allow; start it again later`,
    metadata: { method, max: String(queuedMax), ...(key === undefined ? {} : { key }) },
    retryDelayMs: 1_000,
  })
}

/** Of a start that asks to be attached to it (row A5). */
export function parentHasEnded(parentId: string): Refusal {
  return new Refusal({
    reason: 'PARENT_HAS_ENDED',
    message: `job ${parentId} has ended, and nothing can be attached to it any more`,
    metadata: { job_id: parentId },
    violations: [{ field: 'attached', description: 'is to a parent that has ended' }],
  })
}

/** Of an attached child that would wait for the key of its own parent. */
export function keyOfParent(key: string, parentId: string): Refusal {
  return new Refusal({
    reason: 'JOB_KEY_TAKEN',
    message: `key "${key}" is held by job ${parentId}, the parent, which keeps it until its attached children have ended: this one would wait for it for ever`,
    metadata: { job_id: parentId },
  })
}

/** Which job stood in the way of a start could not be read. */
export function conflictUnresolved(cause: unknown): Refusal {
  const message = 'the start met another job, and the database could not tell which'
  return new Refusal({ reason: 'DATABASE_UNAVAILABLE', message, retryDelayMs: 500, cause })
}
