/** Idle handlers: functions that run periodically while the client is idle (rows I1 to I4). */

export {
  type Activity,
  type ActivitySource,
  type BlockingCall,
  createActivity,
} from './activity.ts'
export type { AttachOptions, IdleHandler } from './attachment.ts'
export { type IdleClock, type IdleTimer, systemClock } from './clock.ts'
export { InvalidIntervalError, OwnerDisposedError } from './errors.ts'
export type { IdleFailure } from './failure-report.ts'
export {
  type IdleBlock,
  type IdleHandlers,
  type IdleHandlersOptions,
  idleHandlers,
} from './idle-handlers.ts'
export { createManualClock, type ManualClock } from './manual-clock.ts'
export type { IdleOwner, OwnerLevel } from './owner.ts'
