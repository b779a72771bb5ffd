/** What an attempt tells of itself, as its method's codec wants it: plain, or wrapped (row J22). */
import { LIMITS } from '@offstage/proto/limits'
import {
  type Cause,
  type Codec,
  type Told,
  WRAPPED_TEXT,
  wrapCause,
  wrapReport,
  wrapsReports,
  wrapTold,
} from '@offstage/sdk/jobs'
import type { Fault, HeartbeatData } from '../domain/attempt.ts'
import { DETAIL_BYTES_MAX } from '../domain/fault.ts'

export class WrappedReports {
  readonly #codec: Codec | undefined

  constructor(codec: Codec | undefined) {
    this.#codec = wrapsReports(codec) ? codec : undefined
  }

  /** @throws TypeError that names `extra`, where it is too large once it is wrapped; what the codec throws */
  told(told: Told): Told {
    if (this.#codec === undefined) return told
    const wrapped = wrapTold(this.#codec, told)
    if (Buffer.byteLength(JSON.stringify(wrapped.extra)) <= LIMITS.extraBytesMax) return wrapped
    throw new TypeError(`extra is over ${LIMITS.extraBytesMax} bytes as JSON once it is wrapped`)
  }

  /** @throws TypeError that names `data`, in the same way */
  heartbeat(text: string): HeartbeatData {
    if (this.#codec === undefined) return text
    const { bytes, contentType } = wrapReport(this.#codec, JSON.parse(text))
    if (bytes.byteLength > LIMITS.inlineBytesMax) {
      throw new TypeError(`data has ${bytes.byteLength} bytes once it is wrapped`)
    }
    return { bytes: new Uint8Array(bytes), contentType }
  }

  /** A codec that cannot wrap it leaves nothing of it but its reason. */
  fault(fault: Fault): Fault {
    if (this.#codec === undefined) return fault
    const { brief, detail } = fault
    const cut = Buffer.from(detail).subarray(0, WRAPPED_DETAIL_BYTES_MAX).toString()
    return { ...fault, ...this.#cause(this.#codec, { brief, detail: cut }) }
  }

  #cause(codec: Codec, cause: Cause): Cause {
    try {
      const wrapped = wrapCause(codec, cause)
      if (wrapped.detail.length <= DETAIL_BYTES_MAX) return wrapped
    } catch {}
    return { brief: WRAPPED_TEXT, detail: '' }
  }
}

/** With the brief and what a wrapper adds, as base64, it stays within the limit. */
const WRAPPED_DETAIL_BYTES_MAX = 20_000
