/**
 * What people use daily of `@offstage/sdk`. All else is at its subpath: `@offstage/sdk/client` has the options and answers of
 * calls, `/jobs` how values and options travel, `/values`, `/runs` and `/idle` what goes with reusable values, runs and idle handlers,
 * `/tiers` has those of other processes, `/sql` starts inside a transaction of one's own, `/transactions` such transactions.
 */
export {
  type Completion,
  type ConnectOptions,
  defineSchedule,
  JobCanceledError,
  JobFailedError,
  JobHandle,
  type JobInfo,
  type JobStateName,
  Offstage,
  type ScheduleDefinition,
  StartJobsError,
  type StartOptions,
  type StartOutcome,
  type StoredValue,
  type WaitAnswer,
} from './client/mod.ts'
export { OffstageError } from './grpc/mod.ts'
export { idleHandlers } from './idle/mod.ts'
export {
  byteStream,
  defineJob,
  defineMethod,
  type JobContext,
  type JobDefinition,
  type JobMethod,
  NonRetryableError,
  type ParamsOf,
  type Received,
  type ResultOf,
} from './jobs/mod.ts'
export { runInScope } from './runs/mod.ts'
export { refreshReusableValues, reusable } from './values/mod.ts'
