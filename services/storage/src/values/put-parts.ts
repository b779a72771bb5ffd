import type { PutOpening, PutPart, PutTrailer } from '../domain/temp-value.ts'
import { invalidField } from '../refusals.ts'

/** Splits a put into its opening, which is read here, and its body, which is read as it is taken. */
export async function openPut(
  parts: AsyncIterable<PutPart>,
): Promise<{ opening: PutOpening; body: PutBody }> {
  const iterator = parts[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done) throw invalidField('header', 'the stream ended without one')
  const { value } = first
  if (value.kind !== 'header' && value.kind !== 'resume') {
    throw invalidField('header', 'must come first')
  }
  return { opening: value, body: new PutBody(iterator, value.promisesTrailer) }
}

/** The bytes of a put, chunk by chunk, once. Throws when a part is out of place or one is missing. */
export class PutBody implements AsyncIterable<Buffer> {
  readonly #parts: AsyncIterator<PutPart>
  readonly #promisesTrailer: boolean
  /** Known when the last chunk was read. */
  trailer: PutTrailer | undefined

  constructor(parts: AsyncIterator<PutPart>, promisesTrailer: boolean) {
    this.#parts = parts
    this.#promisesTrailer = promisesTrailer
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const { done, value: part } = await this.#parts.next()
      if (done) break
      if (this.trailer !== undefined) throw invalidField(part.kind, 'came after the trailer')
      if (part.kind === 'chunk') {
        // What holds the bytes of a small value would hold any number of empty ones.
        if (part.bytes.length > 0) yield part.bytes
      } else if (part.kind === 'trailer') this.#close(part.trailer)
      else throw invalidField('header', 'came a second time')
    }
    if (this.#promisesTrailer && this.trailer === undefined) {
      throw invalidField('trailer', 'was promised by the header, and the stream ended without it')
    }
  }

  #close(trailer: PutTrailer): void {
    if (!this.#promisesTrailer) throw invalidField('trailer', 'was not promised by the header')
    this.trailer = trailer
  }
}
