/**
 * Values as CBOR (RFC 8949), for what JSON would lose: dates, bytes, arrays of numbers, big integers, maps, sets, `undefined`, NaN and
 * the infinities come back as they went; of -0 the sign is lost, and objects of classes arrive as plain ones.
 */
import { cborLibrary } from './cbor-library.ts'
import { cborLossIn } from './cbor-loss.ts'
import { readCbor } from './cbor-reader.ts'
import { typeEncoders } from './cbor-tags.ts'
import { NotEncodableError } from './not-encodable.ts'

/** Media type of a CBOR value. */
export const CBOR_TYPE = 'application/cbor'

/** The library writes into one buffer for all. */
let isWriting = false

/** @throws NotEncodableError for what CBOR cannot hold or would lose, naming where it is; see cbor-loss. */
export function cborBytes(value: unknown): Buffer {
  const loss = cborLossIn(value)
  if (loss !== undefined) throw new NotEncodableError(loss.keys.reverse().join('.'), loss.problem)
  if (isWriting) throw new NotEncodableError('', 'is written by a toJSON or getter of another one')
  isWriting = true
  try {
    // Sorted by nobody: entries stay in the order they are in, which a Map keeps.
    const options = { typeEncoders: typeEncoders(), mapSorter: undefined }
    const bytes = cborLibrary().encode(value, options)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    throw new NotEncodableError('', `cannot be written as CBOR: ${text}`, cause)
  } finally {
    isWriting = false
  }
}

/** @throws SyntaxError that says what is wrong, for bytes that are not CBOR or hold what is not known here. */
export function parseCbor(bytes: Uint8Array): unknown {
  try {
    return readCbor(bytes)
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    throw new SyntaxError(`not CBOR that can be read: ${text}`, { cause })
  }
}
