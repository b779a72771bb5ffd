/**
 * What callers of a client pass, looked at before any call is made: what could not be sent, or would be sent as
 * something else.
 */
import { methodFault } from '@offstage/proto/field-rules'
import type { Rule } from '../arguments/check-options.ts'
import { isDate, numberRule, rule } from '../arguments/rules.ts'
import { shown } from '../arguments/shown.ts'
import { DURATION_MS_MAX } from '../jobs/check-method.ts'
import type { StartTarget } from './job-spec.ts'
import { followJob, type WaitedJob } from './waited-job.ts'

/** A job or method, or the name of one. */
export function checkTarget(target: StartTarget): void {
  const method: unknown = typeof target === 'object' && target !== null ? target.method : target
  if (typeof method === 'string') {
    const fault = methodFault(method)
    if (fault === undefined) return
    throw new TypeError(`method ${shown(method)} ${fault}`)
  }
  throw new TypeError(
    'what to start must be a job or method made by defineJob or defineMethod, or its name, not ' +
      shown(target),
  )
}

/** Parameters of many jobs. */
export function checkParamsList(list: readonly unknown[]): void {
  checkArray('the list of parameters', list)
}

/** Handles to be waited for. */
export function checkHandles(handles: readonly WaitedJob[]): void {
  checkArray('what is waited for', handles)
  for (const handle of handles) {
    if (typeof handle === 'object' && handle !== null && followJob in handle) continue
    throw new TypeError(`what is waited for must be handles of jobs, not ${shown(handle)}`)
  }
}

function checkArray(what: string, list: unknown): void {
  if (Array.isArray(list)) return
  const isIterable = typeof list === 'object' && list !== null && Symbol.iterator in list
  const advice = isIterable ? '; spread it, as in [...list]' : ''
  throw new TypeError(`${what} must be an array, not ${shown(list)}${advice}`)
}

/** What an int32 of the API holds. */
export const whole = numberRule(
  'a whole number below 2^31',
  (value) => Number.isInteger(value) && Math.abs(value) < 2 ** 31,
)
export const spanMs = numberRule(
  `milliseconds from 0 to ${DURATION_MS_MAX}`,
  (value) => value >= 0 && value <= DURATION_MS_MAX,
)
/** How long to wait: without a limit at Infinity. */
export const timeoutMs = numberRule('milliseconds, 0 or more', (value) => value >= 0)
export const dateOrSpanMs: Rule = (value, name) => {
  if (typeof value === 'number') spanMs(value, name)
  else rule('a valid Date, or milliseconds', isDate)(value, name)
}
