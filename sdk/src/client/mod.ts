/** The client: starting jobs, waiting for them, temp storage. */
export { connectAllStores } from '../values/shared-ports.ts'
export type { Act, ListActsOptions } from './acts.ts'
export type {
  BulkAnswer,
  BulkOptions,
  BulkResult,
  CancelJobsOptions,
  JobSelection,
  RetryJobsOptions,
} from './bulk.ts'
export { ATTEMPTS_MAX, CALL_MS_MAX } from './call-terms.ts'
export type { CancelOutcomeName, Completion, JobFault, Unfinished } from './completion.ts'
export { type ConnectOptions, credentialFrom, sessionFrom } from './connect-options.ts'
export type { ConnectTls } from './connect-tls.ts'
export { Credential, isTokenRefused } from './credential.ts'
export {
  type DeclaredTerms,
  declarationOf,
  defineSchedule,
  isScheduleDefinition,
  type RemovedSchedule,
  type ScheduleDefinition,
} from './define-schedule.ts'
export type { JobMessage, MessageSeverity, Progress } from './events.ts'
export type { ExclusiveMode, ExclusiveOptions } from './exclusive-mode.ts'
export type { ExclusiveHolder, ExclusiveWatchOptions } from './exclusive-watch.ts'
export type { ExecutorInfo, ExecutorsOptions } from './executors.ts'
export type { FollowLeaksOptions } from './follow-leaks.ts'
export type { ForegroundHome, ForegroundRunner, ForegroundSession } from './foreground.ts'
export { attemptEnded, type JobIdentity } from './identity.ts'
export type { CallArguments, JobCalls } from './job-calls.ts'
export type { CountBy, CountOptions, JobCount } from './job-counts.ts'
export { JobCanceledError, JobFailedError } from './job-errors.ts'
export { JobHandle } from './job-handle.ts'
export type { JobFilter, JobInfo, JobKindName, JobPage, PageOptions } from './job-info.ts'
export type { JobAttempt, JobRecord } from './job-record.ts'
export type { JobStateName, JobStatusName, UnfinishedStateName } from './job-state.ts'
export type { LeakCalls, NamespaceLeaks, TrackOptions } from './leak-calls.ts'
export {
  type LeakReports,
  LeakSync,
  type LeakSyncOptions,
  type ReportedFigures,
  type TrackedRuns,
} from './leak-sync.ts'
export type { Lease, LeaseOptions } from './lease.ts'
export type { LeaseRef, LockHolder, LockOptions } from './lock-options.ts'
export type { FreeLockOptions, HeldLock, LockCalls, LockInfo } from './locks.ts'
export type { MethodLimit, RateLimit } from './method-limits.ts'
export type { ListMethodsOptions, MethodInfo, PauseOptions } from './namespace-calls.ts'
export type {
  NamespaceSettings,
  NamespaceSettingsCalls,
  SettingsChange,
} from './namespace-settings.ts'
export { Offstage } from './offstage.ts'
export type {
  CancelOptions,
  CompletionOptions,
  ExecutionMode,
  JobKey,
  KeyConflict,
  RetryJobOptions,
  RunAllOptions,
  RunAllProgress,
  RunOptions,
  StartManyOptions,
  StartOptions,
  WaitOptions,
} from './options.ts'
export type { EndStateName, ExpiredJobs, RetentionInForce, RetentionRule } from './retention.ts'
export type {
  NewSchedule,
  OverlapName,
  ScheduleChange,
  ScheduledJob,
  ScheduleInfo,
  ScheduleTimes,
} from './schedule-options.ts'
export type { BackfillSpan, ScheduleCalls, TriggerOptions } from './schedules.ts'
export { StartJobsError, type StartOutcome } from './start-outcome.ts'
export type {
  PutOptions,
  PutSource,
  ReadOptions,
  Scope,
  StorageCalls,
  StoredValue,
  ValueStream,
} from './storage-calls.ts'
export type { TokenSource } from './token-source.ts'
export type { ValueRefreshes } from './value-refreshes.ts'
export type { ValuesConnection } from './values-connection.ts'
export type {
  ExecutorSighting,
  StartEstimate,
  WaitCauseName,
  WaitExplanation,
} from './wait-explanation.ts'
export type { WaitAnswer } from './waits.ts'
