/**
 * Messages, progress, heartbeats and errors of a method whose codec wraps reports (row J22). A text is replaced by a fixed sentence, and
 * goes, with its `extra`, as CBOR through the wrappers: into the `extra`, of an error into the detail. Nothing waits here: a message is
 * a call that returns at once, and so are the listeners that hear of it.
 */
import { type Codec, decodeBy, encodeBy, type KnownCodecs } from './codec.ts'
import type { EncodedValue } from './payload.ts'

/** Stands where a text was. */
export const WRAPPED_TEXT = 'What the job says here is wrapped by its codec.'

/** A message, or what goes with a progress. */
export interface Told {
  readonly text: string
  readonly extra?: Readonly<Record<string, unknown>>
}

/** What an error says. */
export interface Cause {
  readonly brief: string
  readonly detail: string
}

export function wrapsReports(codec: Codec | undefined): boolean {
  return typeof codec === 'object' && codec.wrapReports === true
}

/** @throws TypeError where a wrapper answers with a promise; CodecError, NotEncodableError */
export function wrapReport(codec: Codec, value: unknown): EncodedValue {
  const wrappers = typeof codec === 'object' ? codec.wrappers : undefined
  const encoded = encodeBy({ format: 'cbor', wrappers }, value)
  if (encoded instanceof Promise) {
    // It may fail too, and nobody waits for it.
    encoded.catch(() => {})
    throw new TypeError('wrapReports needs wrappers that give their bytes at once, not a promise')
  }
  if (encoded === undefined) throw new TypeError('there is nothing to wrap')
  return encoded
}

export function wrapTold(codec: Codec, told: Told): Told {
  const { bytes, contentType } = wrapReport(codec, told)
  return { text: WRAPPED_TEXT, extra: { contentType, base64: bytes.toString('base64') } }
}

export function wrapCause(codec: Codec, cause: Cause): Cause {
  const { bytes, contentType } = wrapReport(codec, cause)
  return { brief: WRAPPED_TEXT, detail: `${contentType}\n${bytes.toString('base64')}` }
}

/** As it was told; as it is where it was not wrapped, or by what is not known here. */
export function unwrapTold<T extends Told>(known: KnownCodecs, told: T): T {
  const { text, extra } = told
  if (text !== WRAPPED_TEXT) return told
  const { contentType, base64 } = extra ?? {}
  const found = unwrapped(known, contentType, base64)
  if (found === undefined || typeof found.text !== 'string') return told
  return { ...told, text: found.text, extra: found.extra }
}

/** In the same way. */
export function unwrapCause<T extends Cause>(known: KnownCodecs, cause: T): T {
  if (cause.brief !== WRAPPED_TEXT) return cause
  const [contentType, base64] = cause.detail.split('\n', 2)
  const found = unwrapped(known, contentType, base64)
  if (typeof found?.brief !== 'string' || typeof found.detail !== 'string') return cause
  return { ...cause, brief: found.brief, detail: found.detail }
}

function unwrapped(
  known: KnownCodecs,
  contentType: unknown,
  base64: unknown,
): Partial<Told & Cause> | undefined {
  if (typeof contentType !== 'string' || typeof base64 !== 'string') return undefined
  try {
    const value = decodeBy(known, Buffer.from(base64, 'base64'), contentType)
    if (!(value instanceof Promise)) return isObject(value) ? value : undefined
    value.catch(() => {})
    return undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
