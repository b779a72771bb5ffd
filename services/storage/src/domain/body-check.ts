/**
 * Follows the bytes of a value as they arrive and says what is wrong with them, as early as it can
 * be known.
 */
import { PUT_CHUNK_BYTES_MAX } from './limits.ts'

/** What the bytes must keep to. */
export interface BodyBounds {
  /** As announced; undefined: not announced. */
  readonly size: number | undefined
  /** As announced; undefined: not announced. */
  readonly sha256: Buffer | undefined
  /** The largest value the service takes. */
  readonly sizeMax: number
}

export type BodyFault =
  | { readonly kind: 'chunk-too-large'; readonly bytes: number }
  | { readonly kind: 'value-too-large'; readonly sizeMax: number }
  | { readonly kind: 'size-mismatch'; readonly announced: number; readonly received: number }
  | { readonly kind: 'checksum-mismatch'; readonly announced: string; readonly received: string }

/** Before the first chunk. */
export function faultOfBounds(bounds: BodyBounds): BodyFault | undefined {
  const { size, sizeMax } = bounds
  return size !== undefined && size > sizeMax ? { kind: 'value-too-large', sizeMax } : undefined
}

/** `received`: bytes before this chunk. */
export function faultOfChunk(
  bounds: BodyBounds,
  received: number,
  chunkBytes: number,
): BodyFault | undefined {
  if (chunkBytes > PUT_CHUNK_BYTES_MAX) return { kind: 'chunk-too-large', bytes: chunkBytes }
  const total = received + chunkBytes
  const { size, sizeMax } = bounds
  if (size !== undefined && total > size) {
    return { kind: 'size-mismatch', announced: size, received: total }
  }
  return total > sizeMax ? { kind: 'value-too-large', sizeMax } : undefined
}

/** After the last chunk. */
export function faultOfWhole(
  bounds: BodyBounds,
  received: number,
  sha256: Buffer,
): BodyFault | undefined {
  const { size } = bounds
  if (size !== undefined && received !== size) {
    return { kind: 'size-mismatch', announced: size, received }
  }
  return faultOfChecksum(bounds.sha256, sha256)
}

/** With what was announced, before the bytes or after them. */
export function faultOfChecksum(
  announced: Buffer | undefined,
  received: Buffer,
): BodyFault | undefined {
  if (announced === undefined || announced.equals(received)) return undefined
  return {
    kind: 'checksum-mismatch',
    announced: announced.toString('hex'),
    received: received.toString('hex'),
  }
}
