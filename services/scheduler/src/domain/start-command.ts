/** A start as the scheduler understands it, and the rules it must keep. */

import {
  addressFault,
  checkLabels,
  collectViolations,
  contentTypeFault,
  durationFault,
  methodFault,
  type Note,
  poolFault,
  scopeFault,
  textFault,
  timeFault,
  traceparentFault,
  type Violation,
  versionFault,
} from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import type { ChildrenPolicy } from './attached-children.ts'
import { type Foreground, type ForegroundStart, OWN_POOLS } from './foreground.ts'
import { isJobId, type LeaseId } from './ids.ts'
import type { JobKind } from './job-kind.ts'
import type { Lane } from './lane.ts'
import { requiredVersionOf, withoutVersion } from './pool.ts'
import type { RetryPolicy } from './retry-policy.ts'

export type KeyConflict = 'refuse' | 'return-running' | 'queue-behind'

/** Serialized bytes, in place or in temp storage. Both absent: no value. */
export interface Payload {
  readonly inline?: Uint8Array
  readonly address?: string
  /** Media type; empty means application/json. */
  readonly type: string
  /** Of the value at the address, where its sender told it. */
  readonly sha256?: Uint8Array
}

/** What only the executor and readers need; undefined where nothing was asked for. */
export interface StartOptions {
  readonly displayName?: string
  readonly scope?: string
  readonly resultAddress?: string
  readonly wantAdditionalResult?: boolean
  readonly additionalResultAddress?: string
  readonly cancelWithParent?: boolean
  /** What becomes of it where attached children do not succeed; undefined: `all`. */
  readonly childrenPolicy?: ChildrenPolicy
  readonly retry?: RetryPolicy
  readonly attemptDeadlineMs?: number
  readonly queueDeadlineMs?: number
  readonly totalDeadlineMs?: number
  readonly heartbeatDeadlineMs?: number
  readonly tracestate?: string
  /** The parameters' value in temp storage ends with the job. */
  readonly paramsOwned?: boolean
  /** The handler acts with the rights of a service: the method's word, never the caller's. */
  readonly privileged?: boolean
  /** Ids of announced schemas that the parameters do not fit, where they fit others: executors that go by them get the job last. */
  readonly misfits?: readonly string[]
  /** What the caller asked for, where the method is its fallback. */
  readonly requestedMethod?: string
  /** It runs in the process of its caller: its pool is that of the session. */
  readonly foreground?: Foreground
  /** The pool that it was started for then; undefined for the default one. */
  readonly homePool?: string
}

/** What a start says that whoever runs the job is told, as it is. */
export interface JobContent {
  readonly namespace: string
  readonly method: string
  readonly owner: string
  readonly lane: Lane
  readonly key: string
  readonly parentId: string
  readonly params: Payload
  readonly labels: Readonly<Record<string, string>> | undefined
  readonly traceparent: string
  readonly options: StartOptions | undefined
}

export interface StartCommand extends JobContent {
  /** Whether who starts it may have the jobs of other owners too (row J6). */
  readonly admin: boolean
  /** Whether they may see that those exist. */
  readonly seesOthers: boolean
  readonly kind: JobKind
  readonly priority: number
  /** Empty: the default one. With the version that it requires (pool.ts). */
  readonly pool: string
  readonly keyConflict: KeyConflict
  /** What the key expression of its method says of it; undefined where there is none. */
  readonly limitKey?: string
  readonly requestId: string
  readonly startTime: Date | undefined
  readonly delayMs: number
  /** Its parent ends only when it has (row A5). */
  readonly isAttached?: boolean
  /** The attempt of its parent that starts it, where that is known: with the failure of this one it counts no more, however late it comes. */
  readonly attachedBy?: number
  /** By nobody who waits for an answer: held back, where others are refused, while somebody has the namespace exclusively. */
  readonly isAutomatic?: boolean
  /** The lease it belongs to; undefined: that of its parent, if any. */
  readonly leaseId?: LeaseId
  /** What is called where the method is unknown. */
  readonly fallbackMethod?: string
  /** Its caller would run it itself. */
  readonly foreground?: ForegroundStart
}

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/**
 * A request id that can be the job's id: any UUID of version 7. Then the primary key alone keeps a repeated start from
 * creating a second job, however late the repeat comes.
 */
export function canBeJobId(requestId: string): boolean {
  return requestId.length === 36 && UUID_V7.test(requestId)
}

const NO_JOB = '00000000-0000-0000-0000-000000000000'

/** What a start is looked up by among the jobs that there are: also by the id of its job, where its request id is one. */
export function soughtFrom(command: StartCommand): {
  readonly id: string
  readonly command: StartCommand
} {
  return { id: canBeJobId(command.requestId) ? command.requestId : NO_JOB, command }
}

/** Everything wrong with a command, each naming its field; empty when it is fine. */
export function violationsOf(command: StartCommand): Violation[] {
  return collectViolations((note) => {
    noteTexts(command, note)
    const { params, parentId, priority, labels, options } = command
    const size = params.inline?.length ?? 0
    if (size > LIMITS.inlineBytesMax) {
      const advice = 'put it into temp storage and send its address'
      note('params.inline', `has ${size} bytes, more than ${LIMITS.inlineBytesMax}; ${advice}`)
    }
    if (parentId !== '' && !isJobId(parentId)) note('parent_job_id', 'must be a job id, a UUID')
    if (command.isAttached && parentId === '') note('attached', 'needs a parent: parent_job_id')
    if (Math.abs(priority) > LIMITS.priorityMax) {
      note('priority', `must be within -${LIMITS.priorityMax} and ${LIMITS.priorityMax}`)
    }
    note('start_time', timeFault(command.startTime))
    note('delay', durationFault(command.delayMs))
    if (command.startTime !== undefined && command.delayMs !== 0) {
      note('delay', 'excludes start_time: give one of them')
    }
    if (labels !== undefined) checkLabels('labels', labels, note)
    if (options !== undefined) noteLimits(options, note)
  })
}

/** Every text of a start, in one place: its form or its longest length, and no NUL. */
function noteTexts(command: StartCommand, note: Note): void {
  const { params, options } = command
  note('method', methodFault(command.method))
  if (command.fallbackMethod !== undefined) {
    note('fallback_method', methodFault(command.fallbackMethod))
  }
  note('params.content_type', contentTypeFault(params.type))
  note('params.address', addressFault(params.address ?? ''))
  if ((params.sha256?.length ?? 32) !== 32) note('params.sha256', 'must have 32 bytes')
  const pool = withoutVersion(command.pool)
  note('pool', poolFault(pool) ?? ownPoolFault(pool))
  note('required_version', versionFault(requiredVersionOf(command.pool)))
  note('key', textFault(command.key, LIMITS.keyCharactersMax))
  note('request_id', textFault(command.requestId, LIMITS.requestIdCharactersMax))
  note('traceparent', traceparentFault(command.traceparent))
  if (options === undefined) return
  note('display_name', textFault(options.displayName ?? '', LIMITS.displayNameCharactersMax))
  note('scope', scopeFault(options.scope ?? ''))
  note('result_address', addressFault(options.resultAddress ?? ''))
  note('additional_result_address', addressFault(options.additionalResultAddress ?? ''))
  if (
    options.additionalResultAddress &&
    options.additionalResultAddress === options.resultAddress
  ) {
    note(
      'additional_result_address',
      'must be another than result_address: it would replace the result',
    )
  }
  note('tracestate', textFault(options.tracestate ?? '', LIMITS.tracestateCharactersMax))
}

/** Of one that nobody names but Offstage itself. */
export function ownPoolFault(pool: string): string | undefined {
  if (!pool.startsWith(OWN_POOLS)) return undefined
  return `is reserved: pools that begin with "${OWN_POOLS}" are Offstage’s own`
}

/** What a start that leaves it open takes from the definition of its method. */
export const METHOD_DEFAULTS = [
  'retry',
  'queueDeadlineMs',
  'attemptDeadlineMs',
  'totalDeadlineMs',
  'heartbeatDeadlineMs',
  'childrenPolicy',
] as const satisfies readonly (keyof StartOptions)[]
export type MethodDefault = (typeof METHOD_DEFAULTS)[number]

/** How often and how long; also what an executor announces for its methods keeps these. */
export function noteLimits(limits: Pick<StartOptions, MethodDefault>, note: Note): void {
  const { attemptDeadlineMsMax, heartbeatDeadlineMsMin } = LIMITS
  const { queueDeadlineMs, attemptDeadlineMs = 1, totalDeadlineMs, heartbeatDeadlineMs } = limits
  note('deadlines.queue', deadlineFault(queueDeadlineMs))
  if (!(attemptDeadlineMs > 0 && attemptDeadlineMs <= attemptDeadlineMsMax)) {
    note('deadlines.attempt', 'must be positive and at most 24 days')
  }
  note('deadlines.total', deadlineFault(totalDeadlineMs))
  const heartbeat = heartbeatDeadlineMs ?? heartbeatDeadlineMsMin
  if (!(heartbeat >= heartbeatDeadlineMsMin && heartbeat <= attemptDeadlineMsMax)) {
    note('deadlines.heartbeat', 'must be within 1 s and 24 days')
  }
  if (limits.retry !== undefined) noteRetry(limits.retry, note)
}

function deadlineFault(ms = 1): string | undefined {
  return ms > 0 ? durationFault(ms) : 'must be positive'
}

function noteRetry(retry: RetryPolicy, note: Note): void {
  const within = (field: string, value: number, min: number, max: number) => {
    if (!(value >= min && value <= max)) note(field, `must be within ${min} and ${max}`)
  }
  within('retry_policy.max_attempts', retry.maxAttempts, 1, LIMITS.maxAttemptsMax)
  const { backoffMultiplierMax } = LIMITS
  within('retry_policy.backoff_multiplier', retry.backoffMultiplier, 1, backoffMultiplierMax)
  within('retry_policy.jitter', retry.jitter, 0, 1)
  note('retry_policy.initial_backoff', durationFault(retry.initialBackoffMs))
  note('retry_policy.max_backoff', durationFault(retry.backoffMsMax))
  if (retry.backoffMsMax < retry.initialBackoffMs) {
    note('retry_policy.max_backoff', 'must not be below initial_backoff')
  }
}
