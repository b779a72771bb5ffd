/** What the options of starts and waits must be; see check-arguments. */

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
  texts,
} from '../arguments/rules.ts'
import { checkDeadlines, checkRetry } from '../jobs/check-definition.ts'
import type { DeadlineOptions, RetryOptions } from '../jobs/definition.ts'
import { laneNames } from '../jobs/policies.ts'
import { dateOrSpanMs, spanMs, timeoutMs, whole } from './check-arguments.ts'
import { keyConflicts } from './job-spec.ts'
import type {
  CancelOptions,
  CompletionOptions,
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

const COMMON = {
  onKeyConflict: oneOf(keyConflicts),
  inlineWaitMs: spanMs,
  lane: oneOf(laneNames),
  fallbackMethod: text,
  scope: text,
  resultAddress: text,
  additionalResult: rule(
    'true, false or an address',
    (value) => typeof value === 'boolean' || typeof value === 'string',
  ),
  startAfter: dateOrSpanMs,
  priority: whole,
  labels: texts,
  displayName: text,
  retry,
  deadlines,
  cancelWithParent: flag,
  executorSessionId: text,
  signal: abortSignal,
}

export const START_RULES: Rules<StartOptions> = { ...COMMON, key: text, requestId: someText }
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
export const CANCEL_RULES: Rules<CancelOptions> = { reason: text, graceMs: spanMs, cascade: flag }
