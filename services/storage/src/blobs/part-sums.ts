/**
 * Checksums of the parts of a blob: a CRC-32 for each 256 KiB, four bytes each, so that a read is checked
 * wherever it begins, before a byte of the part leaves. What is damaged on a disk is found by that; what
 * is forged is a matter for the SHA-256 of the whole.
 *
 * The last sum is that of the bytes there are so far, and can be gone on with.
 */
import { crc32 } from 'node:zlib'
import { READ_CHUNK_BYTES_MAX } from '../domain/limits.ts'

export const PART_BYTES = READ_CHUNK_BYTES_MAX
const SUM_BYTES = 4

export class PartSums {
  readonly #whole: number[] = []
  #last = 0
  #lastBytes = 0

  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + PART_BYTES - this.#lastBytes)
      this.#last = crc32(piece, this.#last)
      this.#lastBytes += piece.length
      at += piece.length
      if (this.#lastBytes < PART_BYTES) continue
      this.#whole.push(this.#last)
      this.#last = 0
      this.#lastBytes = 0
    }
  }

  toBuffer(): Buffer {
    const sums = this.#lastBytes === 0 ? this.#whole : [...this.#whole, this.#last]
    const buffer = Buffer.alloc(sums.length * SUM_BYTES)
    for (const [part, sum] of sums.entries()) buffer.writeUInt32BE(sum, part * SUM_BYTES)
    return buffer
  }
}

/** Whether these are all the bytes of a part, as they were written. */
export function isSound(sums: Buffer, part: number, bytes: Uint8Array): boolean {
  const at = part * SUM_BYTES
  return at + SUM_BYTES <= sums.length && sums.readUInt32BE(at) === crc32(bytes)
}
