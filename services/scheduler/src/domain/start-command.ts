/** A start as the scheduler understands it, and the rules it must keep. */
import type { RetryPolicy } from './retry-policy.ts'
import {
  type Check,
  checkDuration,
  checkLabels,
  checkText,
  checkTime,
  collectViolations,
  type Violation,
} from './violations.ts'

export const LIMITS = {
  inlineBytesMax: 64 * 1024,
  keyMax: 200,
  requestIdMax: 100,
  addressMax: 200,
  contentTypeMax: 100,
  /** W3C Trace Context: 55 characters today, longer in versions to come. */
  traceparentMax: 100,
  /** What W3C Trace Context wants to be passed on at least. */
  tracestateMax: 512,
  displayNameMax: 200,
  methodMax: 200,
  priorityMax: 1_000,
  maxAttemptsMax: 1_000,
  /** Timers of executors run no longer than 2^31 ms. */
  attemptDeadlineMsMax: 24 * 24 * 3_600_000,
  inlineWaitMsMax: 60_000,
  batchMax: 1_000,
} as const

export type KeyConflict = 'refuse' | 'return-running' | 'queue-behind'

/** Serialized bytes, in place or in temp storage. Both absent: no value. */
export interface Payload {
  readonly inline?: Uint8Array
  readonly address?: string
  /** Media type; empty means application/json. */
  readonly type: string
}

/** What only the executor and readers need; undefined where nothing was asked for. */
export interface StartOptions {
  readonly displayName?: string
  readonly scope?: string
  readonly resultAddress?: string
  readonly wantAdditionalResult?: boolean
  readonly additionalResultAddress?: string
  readonly cancelWithParent?: boolean
  readonly retry?: RetryPolicy
  readonly attemptDeadlineMs?: number
  readonly queueDeadlineMs?: number
  readonly tracestate?: string
}

export interface StartCommand {
  readonly namespace: string
  readonly owner: string
  /** Whether who starts it may have the jobs of other owners too (row J6). */
  readonly admin: boolean
  readonly method: string
  readonly params: Payload
  readonly kind: number
  /** 0: the lane of the method's definition. */
  readonly lane: number
  readonly priority: number
  readonly key: string
  readonly keyConflict: KeyConflict
  readonly requestId: string
  readonly parentId: string
  readonly labels: Readonly<Record<string, string>> | undefined
  readonly startTime: Date | undefined
  readonly delayMs: number
  readonly traceparent: string
  readonly options: StartOptions | undefined
}

const NAME = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/
const NAMESPACE = /^[A-Za-z0-9_-]{1,63}$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

export function isNamespace(value: string): boolean {
  return NAMESPACE.test(value)
}

/** A lower-case UUID, as the scheduler writes job ids. */
export function isJobId(value: string): boolean {
  return UUID.test(value)
}

/**
 * A request id that can be the job's id: any UUID of version 7. Then the primary key alone keeps a repeated start from
 * creating a second job, however late the repeat comes.
 */
export function canBeJobId(requestId: string): boolean {
  return requestId.length === 36 && UUID_V7.test(requestId)
}

/** Everything wrong with a command, each naming its field; empty when it is fine. */
export function violationsOf(command: StartCommand): Violation[] {
  return collectViolations((check) => {
    checkTexts(command, check)
    check(
      (command.params.inline?.length ?? 0) <= LIMITS.inlineBytesMax,
      'params.inline',
      `has ${command.params.inline?.length} bytes, more than ${LIMITS.inlineBytesMax}; put it into temp storage and send its address`,
    )
    check(
      command.parentId === '' || isJobId(command.parentId),
      'parent_job_id',
      'must be a job id, a UUID',
    )
    check(
      Number.isInteger(command.priority) && Math.abs(command.priority) <= LIMITS.priorityMax,
      'priority',
      'must be within -1000 and 1000',
    )
    checkTime(check, 'start_time', command.startTime)
    checkDuration(check, 'delay', command.delayMs)
    check(
      command.startTime === undefined || command.delayMs === 0,
      'delay',
      'excludes start_time: give one of them',
    )
    if (command.labels !== undefined) checkLabels(check, 'labels', command.labels)
    if (command.options !== undefined) checkLimits(command.options, check)
  })
}

/** Every text of a start, in one place: its form or its longest length, and no NUL. */
function checkTexts(command: StartCommand, check: Check): void {
  const { params, options } = command
  check(
    command.method.length <= LIMITS.methodMax && NAME.test(command.method),
    'method',
    'must be segments of letters, digits, "_" and "-" joined by dots, at most 200 characters',
  )
  checkText(check, 'params.content_type', params.type, LIMITS.contentTypeMax)
  checkText(check, 'params.address', params.address ?? '', LIMITS.addressMax)
  checkText(check, 'key', command.key, LIMITS.keyMax)
  checkText(check, 'request_id', command.requestId, LIMITS.requestIdMax)
  checkText(check, 'traceparent', command.traceparent, LIMITS.traceparentMax)
  if (options === undefined) return
  checkText(check, 'display_name', options.displayName ?? '', LIMITS.displayNameMax)
  checkText(check, 'scope', options.scope ?? '', LIMITS.addressMax)
  checkText(check, 'result_address', options.resultAddress ?? '', LIMITS.addressMax)
  const additional = options.additionalResultAddress ?? ''
  checkText(check, 'additional_result_address', additional, LIMITS.addressMax)
  checkText(check, 'tracestate', options.tracestate ?? '', LIMITS.tracestateMax)
}

/** How often and how long; also what an executor announces for its methods keeps these. */
export function checkLimits(
  limits: Pick<StartOptions, 'retry' | 'queueDeadlineMs' | 'attemptDeadlineMs'>,
  check: Check,
): void {
  const { queueDeadlineMs = 1, attemptDeadlineMs = 1 } = limits
  check(queueDeadlineMs > 0, 'deadlines.queue', 'must be positive')
  checkDuration(check, 'deadlines.queue', queueDeadlineMs)
  check(
    attemptDeadlineMs > 0 && attemptDeadlineMs <= LIMITS.attemptDeadlineMsMax,
    'deadlines.attempt',
    'must be positive and at most 24 days',
  )
  if (limits.retry !== undefined) checkRetry(limits.retry, check)
}

function checkRetry(retry: RetryPolicy, check: Check): void {
  check(
    retry.maxAttempts >= 1 && retry.maxAttempts <= LIMITS.maxAttemptsMax,
    'retry_policy.max_attempts',
    `must be within 1 and ${LIMITS.maxAttemptsMax}`,
  )
  check(
    retry.backoffMultiplier >= 1 && retry.backoffMultiplier <= 100,
    'retry_policy.backoff_multiplier',
    'must be within 1 and 100',
  )
  check(retry.jitter >= 0 && retry.jitter <= 1, 'retry_policy.jitter', 'must be within 0 and 1')
  checkDuration(check, 'retry_policy.initial_backoff', retry.initialBackoffMs)
  checkDuration(check, 'retry_policy.max_backoff', retry.backoffMsMax)
  check(
    retry.backoffMsMax >= retry.initialBackoffMs,
    'retry_policy.max_backoff',
    'must not be below initial_backoff',
  )
}
