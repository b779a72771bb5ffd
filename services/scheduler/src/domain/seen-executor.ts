/** An executor that runs the method of a job, as the job's explanation looks at it. */
import type { SessionId } from './ids.ts'

export interface SeenExecutor {
  readonly sessionId: SessionId
  readonly name: string
  readonly pools: readonly string[]
  readonly seenTime: Date
  readonly attached: boolean
  readonly draining: boolean
  readonly inDoubt: boolean
  /** In the lane of the job. */
  readonly slots: number
  readonly used: number
  readonly servesPool: boolean
  /** The parameters of the job fit what it announced. */
  readonly fits: boolean
}

export function isTaking({ attached, draining, inDoubt }: SeenExecutor): boolean {
  return attached && !draining && !inDoubt
}
