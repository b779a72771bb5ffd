/** What the options of starts and waits must be; see check-arguments. */

import { LANE_NAMES } from '@offstage/proto/lanes'
import { LIMITS } from '@offstage/proto/limits'
import type { Rule, Rules } from '../arguments/check-options.ts'
import {
  abortSignal,
  callback,
  flag,
  numberRule,
  oneOf,
  rule,
  someText,
  text,
} from '../arguments/rules.ts'
import { checkDeadlines, checkRetry } from '../jobs/check-method.ts'
import { CHILDREN_POLICIES, type DeadlineOptions, type RetryOptions } from '../jobs/method.ts'
import { dateOrSpanMs, timeoutMs } from './check-arguments.ts'
import { executionModes } from './foreground.ts'
import { keyRule } from './job-key.ts'
import { keyConflicts } from './job-spec.ts'
import {
  address,
  displayName,
  inlineWaitMs,
  labelRule,
  millisWithin,
  nameUpTo,
  pool,
  priority,
  requiredVersion,
  scope,
  textUpTo,
} from './limit-rules.ts'
import type {
  CancelOptions,
  CompletionOptions,
  RetryJobOptions,
  RunAllOptions,
  RunOptions,
  StartManyOptions,
  StartOptions,
  WaitOptions,
} from './options.ts'

const CONCURRENCY_MAX = 10_000

const refuse = (field: string, problem: string): never => {
  throw new RangeError(`${field} ${problem}`)
}
// Of what type the fields of both are is told with their ranges.
const retry: Rule = (value) => checkRetry(value as RetryOptions, refuse)
const deadlines: Rule = (value) => checkDeadlines(value as DeadlineOptions, refuse)

const requestId: Rule = (value, name) => {
  someText(value, name)
  nameUpTo(LIMITS.requestIdCharactersMax)(value, name)
}

const additionalResult: Rule = (value, name) => {
  if (typeof value === 'string') address(value, name)
  else rule('true, false or an address', (other) => typeof other === 'boolean')(value, name)
}

const COMMON = {
  onKeyConflict: oneOf(keyConflicts),
  inlineWaitMs,
  lane: oneOf(LANE_NAMES),
  fallbackMethod: text,
  scope,
  resultAddress: address,
  additionalResult,
  startAfter: dateOrSpanMs,
  pool,
  requiredVersion,
  priority,
  labels: labelRule,
  displayName,
  retry,
  deadlines,
  automatic: flag,
  leaseId: text,
  cancelWithParent: flag,
  attached: flag,
  childrenPolicy: oneOf(CHILDREN_POLICIES),
  mode: oneOf(executionModes),
  executorSessionId: text,
  signal: abortSignal,
}

export const START_RULES: Rules<StartOptions> = { ...COMMON, key: keyRule, requestId }
const { mode: _mode, executorSessionId: _session, ...EACH } = COMMON
/** Of one of many: where they run is said of all. */
export const EACH_RULES: Rules<Omit<StartOptions, 'mode' | 'executorSessionId'>> = {
  ...{ ...EACH, key: keyRule, requestId },
}
export const START_MANY_RULES: Rules<StartManyOptions> = { ...COMMON, each: callback }
export const RUN_RULES: Rules<RunOptions> = {
  ...START_RULES,
  onProgress: callback,
  onMessage: callback,
}
export const RUN_ALL_RULES: Rules<RunAllOptions> = {
  ...START_MANY_RULES,
  concurrency: numberRule(
    `from 1 to ${CONCURRENCY_MAX}`,
    (value) => value >= 1 && value <= CONCURRENCY_MAX,
  ),
  onProgress: callback,
}
export const VALUE_RULES: Rules<Omit<WaitOptions, 'timeoutMs'>> = { signal: abortSignal }
export const WAIT_RULES: Rules<WaitOptions> = { ...VALUE_RULES, timeoutMs }
export const COMPLETION_RULES: Rules<CompletionOptions> = {
  ...WAIT_RULES,
  onProgress: callback,
  onMessage: callback,
  messages: flag,
}
export const RETRY_JOB_RULES: Rules<RetryJobOptions> = {
  requestId,
  requiredVersion,
  signal: abortSignal,
}
export const CANCEL_RULES: Rules<CancelOptions> = {
  reason: textUpTo(LIMITS.cancelReasonCharactersMax),
  graceMs: millisWithin(0, LIMITS.graceMsMax),
  cascade: flag,
}
