/** What the options of this room must be; see `checkOptions`. */
import type { Rules } from '../arguments/check-options.ts'
import { callback, flag, isObject, numberRule, rule } from '../arguments/rules.ts'
import type { ActivitySource } from './activity.ts'
import type { AttachOptions } from './attachment.ts'
import type { IdleClock } from './clock.ts'
import { InvalidIntervalError, intervalMsMin } from './errors.ts'
import type { IdleFailure, SlowIdleRun } from './failure-report.ts'
import type { IdleOwnerOptions } from './owner.ts'

/** How a table of idle handlers is set up. */
export interface IdleHandlersOptions {
  /** Default: the machine's monotonic clock. */
  readonly clock?: IdleClock
  /** Who knows about blocking calls. Default: an activity of the table's own, see `IdleHandlers.activity`. */
  readonly activity?: ActivitySource
  /** Whether handlers, attached or running, keep a Node process alive. Default: false. Browsers do not care. */
  readonly keepAlive?: boolean
  /**
   * Told about each run that threw or rejected. Default: writes to the console. Nobody waits for a promise it
   * returns; if it fails itself, both failures are written to the console.
   */
  readonly onError?: (failure: IdleFailure) => unknown
  /**
   * Told once about each asynchronous run that has gone on for `slowMs`, as it holds all other handlers back until
   * it ends. Default: writes to the console. Nobody waits for it either; if it fails, that is written to the console.
   */
  readonly onSlow?: (run: SlowIdleRun) => unknown
  /** After how many milliseconds of a run `onSlow` is told; above 0, Infinity for never. Default: 10,000. */
  readonly slowMs?: number
}

export const TABLE_RULES: Rules<IdleHandlersOptions> = {
  clock: rule('a clock with now() and startTimer()', (value) =>
    hasMethods(value, 'now', 'startTimer'),
  ),
  activity: rule(
    'a source of activity with busy and onIdle()',
    (value) => hasMethods(value, 'onIdle') && 'busy' in value,
  ),
  keepAlive: flag,
  onError: callback,
  onSlow: callback,
  slowMs: numberRule('milliseconds above 0', (value) => value > 0),
}

export const ATTACH_RULES: Rules<AttachOptions> = {
  intervalMs(value) {
    const isInterval = Number.isFinite(value) && (value as number) >= intervalMsMin
    if (!isInterval) throw new InvalidIntervalError(value)
  },
  once: flag,
  strict: flag,
}

export const OWNER_RULES: Rules<IdleOwnerOptions> = { open: flag }

function hasMethods(value: unknown, ...names: readonly string[]): value is object {
  return isObject(value) && names.every((name) => typeof Reflect.get(value, name) === 'function')
}
