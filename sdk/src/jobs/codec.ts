/**
 * How the values of a method become bytes (row J22): JSON or CBOR, and then what wrappers make of that. Written as the codec says, read as
 * the content type says: JSON and CBOR by everybody, what is wrapped by whoever has its wrappers.
 *
 * Answers at once where the wrappers do, so that nobody waits for JSON.
 */
import { LIMITS } from '@offstage/proto/limits'
import { CodecError } from './codec-error.ts'
import { NotEncodableError } from './not-encodable.ts'
import {
  decodeValue,
  type EncodedValue,
  encodeCborValue,
  encodeValue,
  JSON_TYPE,
} from './payload.ts'
import { isWrappedType, parseWrappedType, type WrappedType, wrappedType } from './wrapped-type.ts'
import { isKeyId, type Wrapped, type Wrapper } from './wrapper.ts'

/** How values become bytes. */
export interface CodecOptions {
  /**
   * `json`, the default, refuses what it would lose. `cbor` also carries dates, bytes, arrays of numbers, big integers, maps, sets and
   * `undefined`.
   */
  readonly format?: 'json' | 'cbor'
  /** What the bytes go through, in this order; undone in the reverse. Default none. */
  readonly wrappers?: readonly Wrapper[]
  /**
   * Whether messages, progress, heartbeats and errors of handlers pass the wrappers too, which then have to answer at once and not
   * with a promise. Who does not know them sees a fixed sentence, the percent, severities and reasons. Default false.
   */
  readonly wrapReports?: boolean
}

/** A format alone, or all that can be said. */
export type Codec = 'json' | 'cbor' | CodecOptions

/** Those that may know a wrapper; the first that does is asked. */
export type KnownCodecs = readonly (Codec | undefined)[]

/** Encodes a value; `undefined` where there is none. @throws NotEncodableError, CodecError */
export function encodeBy(
  codec: Codec | undefined,
  value: unknown,
): EncodedValue | undefined | Promise<EncodedValue> {
  if (codec === undefined) return encodeValue(value)
  const encoded = formatOf(codec) === 'cbor' ? encodeCborValue(value) : encodeValue(value)
  return encoded === undefined ? undefined : wrapBy(codec, encoded)
}

/** How values are written, before any wrapper. */
export function formatOf(codec: Codec | undefined): 'json' | 'cbor' {
  return (typeof codec === 'object' ? codec.format : codec) ?? 'json'
}

/** Gives encoded bytes to the wrappers. @throws NotEncodableError, CodecError */
export function wrapBy(
  codec: Codec | undefined,
  { bytes, contentType }: EncodedValue,
): EncodedValue | Promise<EncodedValue> {
  return wrapFrom(0, wrappersOf(codec), bytes, { of: contentType, by: [] })
}

/** Whether the codec does more than to write values. */
export function isWrapping(codec: Codec | undefined): boolean {
  return wrappersOf(codec).length > 0
}

/** Decodes a value by its content type. @throws SyntaxError for what is not what it says it is, CodecError */
export function decodeBy(
  known: KnownCodecs,
  bytes: Uint8Array,
  contentType: string,
): unknown | Promise<unknown> {
  if (!isWrappedType(contentType)) return decodeValue(bytes, contentType)
  const type = parseWrappedType(contentType)
  if (type === undefined) throw CodecError.unreadable(contentType)
  const wrappers = known.flatMap(wrappersOf)
  const missing = type.by.find(({ name }) => wrappers.every((wrapper) => wrapper.name !== name))
  if (missing !== undefined) throw CodecError.unknown(contentType, missing)
  return unwrapTo(wrappers, bytes, type)
}

function wrappersOf(codec: Codec | undefined): readonly Wrapper[] {
  return (typeof codec === 'object' && codec.wrappers) || []
}

function wrapFrom(
  at: number,
  wrappers: readonly Wrapper[],
  bytes: Buffer,
  type: WrappedType,
): EncodedValue | Promise<EncodedValue> {
  const contentType = wrappedType(type)
  const wrapper = wrappers[at]
  if (wrapper === undefined) return { bytes, contentType: checkedType(contentType) }
  const { name } = wrapper
  const failed = (cause: unknown): never => {
    throw CodecError.failed('wrap', contentType, name, cause)
  }
  const next = (wrapped: Wrapped | undefined) => {
    if (wrapped === undefined) return wrapFrom(at + 1, wrappers, bytes, type)
    const { keyId = '' } = wrapped
    if (keyId !== '' && !isKeyId(keyId)) failed(new TypeError('its key id cannot be told'))
    const by = [...type.by, { name, keyId }]
    return wrapFrom(at + 1, wrappers, checkedBytes(wrapped.bytes, failed), { ...type, by })
  }
  const wrapped = attempt(() => wrapper.wrap(bytes, contentType || JSON_TYPE), failed)
  return wrapped instanceof Promise ? wrapped.catch(failed).then(next) : next(wrapped)
}

/** Undoes the last wrapping first. */
function unwrapTo(
  wrappers: readonly Wrapper[],
  bytes: Uint8Array,
  { of, by }: WrappedType,
): unknown | Promise<unknown> {
  const last = by.at(-1)
  const wrapper = wrappers.find(({ name }) => name === last?.name)
  if (last === undefined || wrapper === undefined) return decodeValue(bytes, of)
  const inner = { of, by: by.slice(0, -1) }
  const failed = (cause: unknown): never => {
    throw CodecError.failed('unwrap', wrappedType({ of, by }), last.name, cause)
  }
  const next = (given: Uint8Array) => unwrapTo(wrappers, checkedBytes(given, failed), inner)
  const unwrapped = attempt(() => wrapper.unwrap(bytes, wrappedType(inner), last.keyId), failed)
  return unwrapped instanceof Promise ? unwrapped.catch(failed).then(next) : next(unwrapped)
}

function attempt<T>(work: () => T, failed: (cause: unknown) => never): T {
  try {
    return work()
  } catch (cause) {
    return failed(cause)
  }
}

function checkedBytes(bytes: unknown, failed: (cause: unknown) => never): Buffer {
  if (!(bytes instanceof Uint8Array)) return failed(new TypeError('it gave no bytes'))
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function checkedType(contentType: string): string {
  const { contentTypeCharactersMax } = LIMITS
  if (contentType.length <= contentTypeCharactersMax) return contentType
  const problem = `its content type is over ${contentTypeCharactersMax} characters: ${contentType}`
  throw new NotEncodableError('', `${problem}; shorter names of wrappers and keys help`)
}
