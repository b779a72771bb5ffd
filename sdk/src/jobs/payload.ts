/**
 * How values become bytes and back, the same for parameters and results (row J3): JSON in UTF-8, or the
 * bytes themselves for a Uint8Array. `undefined` is no value at all (row L6).
 */
import { notEncodable } from './not-encodable.ts'

/** More bytes than these travel through temp storage (rows J3, L4). */
export const INLINE_BYTES_MAX = 64 * 1024

/** Media type of a JSON value; an empty one on the wire means the same. */
export const JSON_TYPE = 'application/json'

/** Media type of a Uint8Array. */
export const BYTES_TYPE = 'application/octet-stream'

/** A value as bytes. */
export interface EncodedValue {
  readonly bytes: Buffer
  /** Media type; empty stands for {@link JSON_TYPE}. */
  readonly contentType: string
}

/**
 * Encodes a value; `undefined` where there is none. A function or symbol is no value either.
 * @throws NotEncodableError for what JSON cannot hold: circular references, bigints.
 */
export function encodeValue(value: unknown): EncodedValue | undefined {
  if (value === undefined) return undefined
  if (value instanceof Uint8Array) {
    return {
      bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      contentType: BYTES_TYPE,
    }
  }
  const text = jsonOf(value)
  return text === undefined ? undefined : { bytes: Buffer.from(text, 'utf8'), contentType: '' }
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (error) {
    throw notEncodable(value, error)
  }
}

/**
 * Decodes what {@link encodeValue} made. JSON is parsed; `text/*` gives a string; any other type gives
 * the bytes.
 * @throws SyntaxError where bytes said to be JSON are not.
 */
export function decodeValue(bytes: Uint8Array, contentType: string): unknown {
  if (contentType === '' || contentType === JSON_TYPE || contentType.startsWith(`${JSON_TYPE};`)) {
    return bytes.byteLength === 0 ? undefined : JSON.parse(asBuffer(bytes).toString('utf8'))
  }
  return contentType.startsWith('text/') ? asBuffer(bytes).toString('utf8') : bytes
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
