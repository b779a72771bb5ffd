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
  /** Of the method; empty for none. */
  readonly version: string
  /** It is the one that the job requires, or the job requires none. */
  readonly hasVersion: boolean
  /** The parameters of the job fit what it announced. */
  readonly fits: boolean
}

/** Those that have its method are not all executors for a job. */
export function isFor({ servesPool, hasVersion }: SeenExecutor): boolean {
  return servesPool && hasVersion
}

export function isTaking({ attached, draining, inDoubt }: SeenExecutor): boolean {
  return attached && !draining && !inDoubt
}
