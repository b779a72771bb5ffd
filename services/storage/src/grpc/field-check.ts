import { Refusal } from '@offstage/kit/grpc'
import { msFrom } from '@offstage/proto/durations'
import { contentTypeFault, textFault, type Violation } from '@offstage/proto/field-rules'

/** Collects what is wrong with the fields of one request, so that a caller learns all of it at once. */
export class FieldCheck {
  readonly #violations: Violation[] = []

  /** Notes that `field` is wrong, in words that follow its name. */
  fault(field: string, description: string): undefined {
    this.#violations.push({ field, description })
    return undefined
  }

  /** Throws INVALID_FIELD if anything was noted; else gives back the value, which is then there. */
  done<T>(value: T | undefined): T {
    const violations = this.#violations
    if (violations.length > 0) {
      const message = violations.map((v) => `${v.field}: ${v.description}`).join('; ')
      throw new Refusal({ reason: 'INVALID_FIELD', message, violations })
    }
    if (value === undefined) throw new Error('a field is missing, and nobody noted it')
    return value
  }

  requiredId<Id>(
    field: string,
    text: string,
    parse: (text: string) => Id | undefined,
  ): Id | undefined {
    return text === '' ? this.fault(field, 'is required') : this.id(field, text, parse)
  }

  /** An id by its parser; undefined when empty, or when wrong and noted. */
  id<Id>(field: string, text: string, parse: (text: string) => Id | undefined): Id | undefined {
    if (text === '') return undefined
    return parse(text) ?? this.fault(field, `${JSON.stringify(shortened(text))} is malformed`)
  }

  text(field: string, text: string, charactersMax: number): string | undefined {
    const fault = textFault(text, charactersMax)
    return fault === undefined ? text : this.fault(field, fault)
  }

  contentType(field: string, text: string): string | undefined {
    const fault = contentTypeFault(text)
    return fault === undefined ? text : this.fault(field, fault)
  }

  /** A whole number from 0 that JavaScript can count. */
  count(field: string, value: bigint): number | undefined {
    if (value < 0n) return this.fault(field, 'must not be negative')
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) return this.fault(field, 'is too large')
    return Number(value)
  }

  /** Undefined when empty, or when wrong and noted. */
  sha256(field: string, bytes: Buffer): Buffer | undefined {
    if (bytes.length === 0) return undefined
    if (bytes.length === 32) return bytes
    return this.fault(field, `must have 32 bytes, and has ${bytes.length}`)
  }

  /** Undefined when not set, or when wrong and noted. */
  durationMs(
    field: string,
    duration: { seconds: bigint; nanos: number } | undefined,
    range: { min: number; max: number },
  ): number | undefined {
    if (duration === undefined) return undefined
    const ms = msFrom(duration)
    if (ms >= range.min && ms <= range.max) return Math.round(ms)
    return this.fault(field, `must be from ${range.min / 1000} s to ${range.max / 1000} s`)
  }
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
