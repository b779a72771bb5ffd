/** A start as the scheduler understands it, and the rules it must keep. */
import type { RetryPolicy } from './retry-policy.ts'

export const LIMITS = {
  inlineBytesMax: 64 * 1024,
  labelsMax: 32,
  labelKeyMax: 63,
  labelValueMax: 255,
  keyMax: 200,
  requestIdMax: 100,
  addressMax: 200,
  displayNameMax: 200,
  methodMax: 200,
  priorityMax: 1_000,
  delayMsMax: 10 * 366 * 24 * 3_600_000,
  maxAttemptsMax: 1_000,
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

export interface Violation {
  readonly field: string
  readonly description: string
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
  const found: Violation[] = []
  const check = (ok: boolean, field: string, description: string) => {
    if (!ok) found.push({ field, description })
  }
  const { params, options } = command
  check(
    command.method.length <= LIMITS.methodMax && NAME.test(command.method),
    'method',
    'must be segments of letters, digits, "_" and "-" joined by dots, at most 200 characters',
  )
  check(
    (params.inline?.length ?? 0) <= LIMITS.inlineBytesMax,
    'params.inline',
    `has ${params.inline?.length} bytes, more than ${LIMITS.inlineBytesMax}; put it into temp storage and send its address`,
  )
  check((params.address?.length ?? 0) <= LIMITS.addressMax, 'params.address', 'is too long')
  check(params.type.length <= 100, 'params.content_type', 'must be at most 100 characters')
  check(command.key.length <= LIMITS.keyMax, 'key', 'must be at most 200 characters')
  check(
    command.requestId.length <= LIMITS.requestIdMax,
    'request_id',
    'must be at most 100 characters',
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
  check(
    command.delayMs >= 0 && command.delayMs <= LIMITS.delayMsMax,
    'delay',
    'must be within 0 and 10 years',
  )
  check(
    command.startTime === undefined || command.delayMs === 0,
    'delay',
    'excludes start_time: give one of them',
  )
  if (command.labels !== undefined) checkLabels(command.labels, check)
  if (options !== undefined) checkOptions(options, check)
  return found
}

type Check = (ok: boolean, field: string, description: string) => void

function checkLabels(labels: Readonly<Record<string, string>>, check: Check): void {
  const entries = Object.entries(labels)
  check(entries.length <= LIMITS.labelsMax, 'labels', `must be at most ${LIMITS.labelsMax}`)
  for (const [key, value] of entries) {
    check(
      key.length > 0 && key.length <= LIMITS.labelKeyMax && value.length <= LIMITS.labelValueMax,
      `labels[${key}]`,
      'must have a key of 1 to 63 and a value of at most 255 characters',
    )
  }
}

function checkOptions(options: StartOptions, check: Check): void {
  check((options.displayName?.length ?? 0) <= LIMITS.displayNameMax, 'display_name', 'is too long')
  check((options.scope?.length ?? 0) <= LIMITS.addressMax, 'scope', 'is too long')
  check((options.resultAddress?.length ?? 0) <= LIMITS.addressMax, 'result_address', 'is too long')
  for (const [field, ms] of [
    ['deadlines.queue', options.queueDeadlineMs],
    ['deadlines.attempt', options.attemptDeadlineMs],
  ] as const) {
    check(ms === undefined || ms > 0, field, 'must be positive')
  }
  if (options.retry !== undefined) checkRetry(options.retry, check)
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
  check(
    retry.initialBackoffMs >= 0 && retry.backoffMsMax >= retry.initialBackoffMs,
    'retry_policy.max_backoff',
    'must not be below initial_backoff',
  )
}
