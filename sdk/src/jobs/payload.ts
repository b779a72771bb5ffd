/**
 * How values become bytes and back, the same for parameters and results (row J3): JSON in UTF-8, or the
 * bytes themselves for an ArrayBuffer and its views. `undefined` is no value at all (row L6).
 */
import { types } from 'node:util'

import { NotEncodableError, notEncodable } from './not-encodable.ts'

/** More bytes than these travel through temp storage (rows J3, L4). */
export const INLINE_BYTES_MAX = 64 * 1024

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
 * Encodes a value; `undefined` where there is none. A function or symbol is no value either.
 * @throws NotEncodableError for what JSON cannot hold: circular references, bigints; and for a Map, a Blob and other
 *   objects whose contents JSON would leave out. Those within another value are not looked for.
 */
export function encodeValue(value: unknown): EncodedValue | undefined {
  if (value === undefined) return undefined
  const bytes = bytesOf(value)
  if (bytes !== undefined) return { bytes, contentType: BYTES_TYPE }
  const text = jsonOf(value)
  return text === undefined ? undefined : { bytes: Buffer.from(text, 'utf8'), contentType: '' }
}

/** The bytes of an ArrayBuffer, a SharedArrayBuffer or a view of one, not copied; undefined for what is none. */
export function bytesOf(value: unknown): Buffer | undefined {
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  }
  return types.isAnyArrayBuffer(value) ? Buffer.from(value) : undefined
}

function jsonOf(value: unknown): string | undefined {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    throw notEncodable(value, error)
  }
  if (text === '{}') refuseEmptied(value)
  return text
}

/** What to pass instead of an object whose contents JSON leaves out. */
const INSTEAD: Readonly<Record<string, string>> = {
  Map: 'pass its entries, as in [...map]',
  Set: 'pass its values, as in [...set]',
  Blob: 'pass its bytes, await blob.arrayBuffer(), or put blob.stream()',
  File: 'pass its bytes, await file.arrayBuffer(), or put file.stream()',
  Promise: 'await it',
}

/** Objects of built-in classes are told by their tag; those of the caller's have none and may be empty. */
function refuseEmptied(value: unknown): void {
  const kind = Object.prototype.toString.call(value).slice('[object '.length, -1)
  if (kind === 'Object' || hasToJson(value)) return
  const instead = INSTEAD[kind] ?? 'pass what is in it as a plain object'
  throw new NotEncodableError('', `the JSON of a ${kind} is {}: ${instead}`)
}

function hasToJson(value: unknown): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
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
  return isTextType(contentType) ? asBuffer(bytes).toString('utf8') : bytes
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
