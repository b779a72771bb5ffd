import type { Run } from './run.ts'

/** Told of the runs that begin, while somebody follows what they leave. */
export interface RunWatch {
  began(run: Run): FollowedRun
}

export interface FollowedRun {
  /** What was open is closed once `closed` resolves. Resolves when it has been looked; undefined where there is nothing to wait for. */
  ended(closed: Promise<void> | undefined): Promise<void> | undefined
}

let watch: RunWatch | undefined

/** Undefined: nobody follows them any more. */
export function watchRuns(by: RunWatch | undefined): void {
  watch = by
}

export function followed(run: Run): FollowedRun | undefined {
  return watch?.began(run)
}
