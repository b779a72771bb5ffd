/** What a start by SQL may say, and how offstage.start_job takes it. */
import { context, propagation } from '@opentelemetry/api'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { callback, flag, text } from '../arguments/rules.ts'
import { keyText } from '../client/job-key.ts'
import { START_RULES } from '../client/option-rules.ts'
import type { JobTerms, StartOptions } from '../client/options.ts'

/** What a start by SQL may say besides method and parameters. */
export interface SqlStartOptions extends JobTerms, Pick<StartOptions, 'requestId' | 'startAfter'> {
  /** Ask for an additional result (row L5). Default false. */
  readonly additionalResult?: boolean
  /** Waits where others are refused, while somebody has the namespace exclusively (row L10). Default false. */
  readonly automatic?: boolean
  /** Default: OFFSTAGE_NAMESPACE, else `default`. */
  readonly namespace?: string
  /**
   * Whose the job is; only they see it, and its handler acts for them. The login needs a row in `offstage.sql_starters` that names them.
   * Default: `sql:` and the login.
   */
  readonly owner?: string
}

/** What starts of many jobs may say: the same for all, or by `each` for one of them. */
export interface SqlStartManyOptions<I = unknown>
  extends Omit<SqlStartOptions, 'key' | 'requestId'> {
  /** Options of one job, over the common ones; not its namespace. */
  readonly each?: (params: I, index: number) => Omit<SqlStartOptions, 'namespace'> | undefined
}

const { key, requestId, ...rules } = START_RULES
const COMMON = {
  onKeyConflict: rules.onKeyConflict,
  lane: rules.lane,
  startAfter: rules.startAfter,
  pool: rules.pool,
  requiredVersion: rules.requiredVersion,
  automatic: rules.automatic,
  priority: rules.priority,
  labels: rules.labels,
  displayName: rules.displayName,
  retry: rules.retry,
  deadlines: rules.deadlines,
  additionalResult: flag,
  namespace: text,
  owner: text,
}
const ONE: Rules<SqlStartOptions> = { ...COMMON, key, requestId }
const MANY: Rules<SqlStartManyOptions> = { ...COMMON, each: callback }

/** @throws TypeError or RangeError naming the option. */
export function checkSqlOptions(options: SqlStartOptions): void {
  checkOptions('startJobIn', options, ONE)
}

/** @throws TypeError or RangeError naming the option. */
export function checkManySqlOptions<I>(options: SqlStartManyOptions<I>): void {
  checkOptions('startJobsIn', options as SqlStartManyOptions, MANY)
}

/** Where to start a job: that of the options, or of the environment. */
export function namespaceOf({ namespace }: Pick<SqlStartOptions, 'namespace'>): string {
  return namespace || process.env.OFFSTAGE_NAMESPACE || 'default'
}

/** The JSON text that offstage.start_job takes; what is undefined is not there. */
export function sqlOptions(options: SqlStartOptions, labels: StartOptions['labels']): string {
  const { startAfter, retry, deadlines } = options
  const trace: { traceparent?: string; tracestate?: string } = {}
  propagation.inject(context.active(), trace)
  return JSON.stringify({
    owner: options.owner,
    key: keyText(options.key) || undefined,
    key_conflict_policy: options.onKeyConflict,
    request_id: options.requestId,
    priority: options.priority,
    lane: options.lane,
    pool: options.pool,
    required_version: options.requiredVersion || undefined,
    automatic: options.automatic,
    labels,
    display_name: options.displayName,
    start_time: startAfter instanceof Date ? startAfter : undefined,
    delay_ms: typeof startAfter === 'number' ? startAfter : undefined,
    want_additional_result: options.additionalResult,
    deadlines: deadlines && {
      queue_ms: deadlines.queueMs,
      attempt_ms: deadlines.attemptMs,
      total_ms: deadlines.totalMs,
      heartbeat_ms: deadlines.heartbeatMs,
    },
    retry_policy: retry && {
      max_attempts: retry.maxAttempts,
      initial_backoff_ms: retry.initialBackoffMs,
      backoff_multiplier: retry.backoffMultiplier,
      max_backoff_ms: retry.backoffMsMax,
      jitter: retry.jitter,
    },
    traceparent: trace.traceparent,
    tracestate: trace.tracestate,
  })
}
