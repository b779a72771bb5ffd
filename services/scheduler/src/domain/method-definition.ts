/** What an executor announced about a method; starts that say nothing else take it from here. */
import type { RetryPolicy } from './retry-policy.ts'

export interface MethodDefinition {
  readonly name: string
  readonly description: string
  readonly paramsSchema: string
  readonly resultSchema: string
  /** 1 inline, 2 task, 3 work. */
  readonly lane: number
  readonly retry?: RetryPolicy
  readonly queueDeadlineMs?: number
  readonly attemptDeadlineMs?: number
}
