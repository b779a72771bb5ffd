import type { Stage } from './stage.ts'

/** One thing an executor must do. Its number is what docs/executor-protocol.md calls it by, and stays. */
export interface Scenario {
  readonly number: string
  /** Ends the sentence "An executor …". */
  readonly title: string
  /** Throws `Broken` where the executor does not. */
  run(stage: Stage): Promise<void>
}
