import { status } from '@grpc/grpc-js'
import type { FieldViolation } from '@offstage/proto/error-details'
import { REASONS, type Reason } from '@offstage/proto/reasons'

export interface RefusalInit {
  /** What programs branch on. */
  readonly reason: Reason
  /** gRPC code; default: the one listed with the reason. */
  readonly code?: status
  /** For people: what was refused and, where it helps, what to do. Reaches the caller. */
  readonly message: string
  /** Facts for programs, e.g. the id of the job that holds a key. Reaches the caller. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Which fields of the request are wrong. */
  readonly violations?: readonly FieldViolation[]
  /** How long the caller should wait before trying again. */
  readonly retryDelayMs?: number
  /** For the service's own eyes; stays off the wire. */
  readonly cause?: unknown
}

/** An expected refusal, thrown by a use case and answered with its code, reason and details. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: status
  readonly reason: Reason
  readonly metadata: Readonly<Record<string, string>>
  readonly violations: readonly FieldViolation[]
  readonly retryDelayMs: number | undefined

  constructor(init: RefusalInit) {
    super(init.message, { cause: init.cause })
    this.code = init.code ?? status[REASONS[init.reason].code]
    this.reason = init.reason
    this.metadata = init.metadata ?? {}
    this.violations = init.violations ?? []
    this.retryDelayMs = init.retryDelayMs
  }
}
