import { status } from '@grpc/grpc-js'
import type { ErrorDetails, FieldViolation } from '@offstage/proto/error-details'
import { isReason, REASONS, type Reason } from '@offstage/proto/reasons'
import { callersFrames } from './callers-frames.ts'

/** Known reasons by name, and whatever a newer server may say. */
type ReasonText = Reason | (string & Record<never, never>)

export interface OffstageErrorInit extends Omit<ErrorDetails, 'reason'> {
  readonly reason: ReasonText
  readonly cause?: unknown
}

/** A call that failed, whatever the cause: refused by the service, or never got there. */
export class OffstageError extends Error {
  override readonly name = 'OffstageError'
  /** gRPC status code. */
  readonly code: status
  /** What to branch on; `docs/errors.md` explains each. */
  readonly reason: ReasonText
  /** Facts for programs, e.g. the id of the job that holds a key. Empty when there are none. */
  readonly metadata: Readonly<Record<string, string>>
  /** Which fields of the request are wrong. Empty when it is not about fields. */
  readonly violations: readonly FieldViolation[]
  /** How long the service asks to wait before another try; undefined when it did not say. */
  readonly retryDelayMs: number | undefined
  /** Where the reason is explained; undefined when the service did not say. */
  readonly helpUrl: string | undefined

  constructor(init: OffstageErrorInit) {
    const { stackTraceLimit } = Error
    // Frames of our own tell nobody anything, and Node would print the source at the first.
    Error.stackTraceLimit = 0
    super(init.message, 'cause' in init ? { cause: init.cause } : undefined)
    Error.stackTraceLimit = stackTraceLimit
    this.stack = `${this}${callersFrames()}`
    this.code = init.code
    this.reason = init.reason
    this.metadata = init.metadata ?? {}
    this.violations = init.violations ?? []
    this.retryDelayMs = init.retryDelayMs
    this.helpUrl = init.helpUrl
    hideUnset(this)
  }

  /**
   * Whether the same call may succeed later as it is. Whether it may be repeated is another matter:
   * only an idempotent call may, since the first one may have taken effect.
   */
  get retryable(): boolean {
    if (isReason(this.reason)) return REASONS[this.reason].retry
    return this.code === status.UNAVAILABLE || this.retryDelayMs !== undefined
  }
}

/** What the service did not say is not shown where an error is printed. */
function hideUnset(error: OffstageError): void {
  const { metadata, violations } = error
  const unset = {
    metadata: Object.keys(metadata).length === 0,
    violations: violations.length === 0,
    retryDelayMs: error.retryDelayMs === undefined,
    helpUrl: error.helpUrl === undefined,
  }
  for (const [name, isUnset] of Object.entries(unset)) {
    if (isUnset) Object.defineProperty(error, name, { enumerable: false })
  }
}
