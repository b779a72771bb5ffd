/** Runs, and what happens at their end (row E1): `docs/guides/runs-and-transactions.md`. */
export {
  type LeftOpen,
  type LeftOpenReport,
  type TellLeftOpen,
  warnOfLeftOpen,
} from './left-open.ts'
export { currentRun, type Opened, type Opening, Run, startingRun } from './run.ts'
export { type RunOptions, runInScope } from './run-in-scope.ts'
export { type FollowedRun, type RunWatch, watchRuns } from './run-watch.ts'
