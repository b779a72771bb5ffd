/** Idle handlers: functions that run periodically while the client is idle (rows I1 to I4). */

export {
  type Activity,
  type ActivitySource,
  type BlockingCall,
  createActivity,
} from './activity.ts'
export type { AttachOptions, IdleHandler } from './attachment.ts'
export { type IdleClock, type IdleTimer, systemClock } from './clock.ts'
export { InvalidIntervalError, OwnerDisposedError, OwnerNotOpenError } from './errors.ts'
export type { IdleFailure, SlowIdleRun } from './failure-report.ts'
export {
  type IdleBlock,
  type IdleHandlers,
  idleHandlers,
} from './idle-handlers.ts'
export { createManualClock, type ManualClock } from './manual-clock.ts'
export type { IdleHandlersOptions } from './options.ts'
export type { IdleOwner, IdleOwnerOptions, OwnerLevel } from './owner.ts'
