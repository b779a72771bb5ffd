import type { FailedChild, ParentEnd, WaitingParent } from '../domain/attached-children.ts'
import type { ChangedJob } from '../domain/held-job.ts'

/** Jobs whose handlers have returned, and which end with the last of their attached children (row A5). */
export interface ParentStore {
  /** Those of them that wait like this. */
  readWaiting(ids: readonly string[]): Promise<WaitingParent[]>
  /** The attached children of a parent that did not succeed: the first of them, and how many they are. */
  readFailed(id: string): Promise<{ readonly children: FailedChild[]; readonly count: number }>
  /** Ends those that have had no further attached child since they were read. */
  end(ends: readonly ParentEnd[]): Promise<ChangedJob[]>
  /** Parents that have nothing left to wait for. */
  findDone(limit: number): Promise<string[]>
  /** Attached children that go on though nobody waits for them: their parent has ended, or tries again. */
  findLeftBehind(limit: number): Promise<LeftBehind[]>
}

export interface LeftBehind {
  readonly id: string
  readonly namespace: string
  readonly owner: string
}
