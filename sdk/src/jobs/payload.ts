/**
 * How values become bytes and back, the same for parameters and results (row J3): JSON in UTF-8 or CBOR (row J22), or the
 * bytes themselves for an ArrayBuffer and its views. `undefined` is no value at all (row L6).
 */
import { isUtf8 } from 'node:buffer'
import { types } from 'node:util'
import { isJsonType } from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import { shown } from '../arguments/shown.ts'
import { CBOR_TYPE, cborBytes, parseCbor } from './cbor.ts'
import { lossIn } from './lossless.ts'
import { NotEncodableError, notEncodable } from './not-encodable.ts'

// Those of the beginning: code that shares the thread may put others in their place, and see what others send.
const { parse, stringify } = JSON

/** More bytes than these travel through temp storage (rows J3, L4). */
export const INLINE_BYTES_MAX = LIMITS.inlineBytesMax

/** More bytes than these are no parameters (row J3). */
export const PARAMS_BYTES_MAX = LIMITS.paramsBytesMax

/** Media type of a JSON value; an empty one on the wire means the same. */
export const JSON_TYPE = 'application/json'

/** Media type of bytes. */
export const BYTES_TYPE = 'application/octet-stream'

/** A value as bytes. */
export interface EncodedValue {
  readonly bytes: Buffer
  /** Media type; empty stands for {@link JSON_TYPE}. */
  readonly contentType: string
}

/**
 * Encodes a value; `undefined` where there is none.
 * @throws NotEncodableError as {@link jsonText} does.
 */
export function encodeValue(value: unknown): EncodedValue | undefined {
  const bytes = bytesOf(value)
  if (bytes !== undefined) return { bytes, contentType: BYTES_TYPE }
  const text = jsonText(value)
  return text === undefined ? undefined : { bytes: Buffer.from(text, 'utf8'), contentType: '' }
}

/**
 * The same in CBOR. Bytes alone travel as they are too, arrays of numbers do not.
 * @throws NotEncodableError as {@link cborBytes} does.
 */
export function encodeCborValue(value: unknown): EncodedValue | undefined {
  const isNumbers = types.isTypedArray(value) && !types.isUint8Array(value)
  const bytes = isNumbers ? undefined : bytesOf(value)
  if (bytes !== undefined) return { bytes, contentType: BYTES_TYPE }
  return value === undefined ? undefined : { bytes: cborBytes(value), contentType: CBOR_TYPE }
}

/**
 * The bytes of an ArrayBuffer, a SharedArrayBuffer or a view of one, not copied; undefined for what is none.
 * @throws NotEncodableError for bytes that were transferred away.
 */
export function bytesOf(value: unknown): Buffer | undefined {
  if (typeof value !== 'object') return undefined
  const isView = ArrayBuffer.isView(value)
  if (!isView && !types.isAnyArrayBuffer(value)) return undefined
  const buffer = isView ? value.buffer : value
  if (buffer instanceof ArrayBuffer && buffer.detached) {
    throw new NotEncodableError('', `the bytes of ${shown(value)} were transferred away`)
  }
  return isView ? Buffer.from(buffer, value.byteOffset, value.byteLength) : Buffer.from(buffer)
}

/**
 * The JSON of a value that is not bytes; undefined for `undefined`.
 * @throws NotEncodableError for what JSON cannot hold or would lose, naming where it is; see lossless.
 */
export function jsonText(value: unknown): string | undefined {
  if (value === undefined) return undefined
  try {
    const text = stringify(value)
    const loss = lossIn(value)
    if (loss === undefined) return text
    throw new NotEncodableError(loss.keys.reverse().join('.'), loss.problem)
  } catch (error) {
    throw error instanceof NotEncodableError ? error : notEncodable(value, error)
  }
}

/**
 * Decodes what {@link encodeValue} made. JSON and CBOR are parsed; `text/*` gives a string; any other type gives
 * the bytes.
 * @throws SyntaxError where bytes said to be JSON or CBOR are not.
 */
export function decodeValue(bytes: Uint8Array, contentType: string): unknown {
  if (isJsonType(contentType)) {
    if (!isUtf8(bytes)) throw new SyntaxError('JSON that is no UTF-8')
    return bytes.byteLength === 0 ? undefined : parse(asBuffer(bytes).toString('utf8'))
  }
  if (isTextType(contentType)) return asBuffer(bytes).toString('utf8')
  return isCborType(contentType) ? parseCbor(bytes) : bytes
}

function isCborType(contentType: string): boolean {
  return contentType === CBOR_TYPE || contentType.startsWith(`${CBOR_TYPE};`)
}

/** Whether a text of this media type travels as it is, not as JSON. */
export function isTextType(contentType: string | undefined): boolean {
  return contentType?.startsWith('text/') ?? false
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
