/** What an executor announced about a method. */
import type { SlotLane } from './lane.ts'
import type { RetryPolicy } from './retry-policy.ts'

/** What starts that say nothing else take from it. */
export interface MethodTerms {
  readonly name: string
  readonly lane: SlotLane
  readonly retry?: RetryPolicy
  readonly queueDeadlineMs?: number
  readonly attemptDeadlineMs?: number
}

export interface MethodDefinition extends MethodTerms {
  readonly description: string
  readonly paramsSchema: string
  readonly resultSchema: string
}
