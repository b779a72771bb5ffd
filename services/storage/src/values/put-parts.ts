import type { PutHeader, PutPart, ResumeHeader } from '../domain/temp-value.ts'
import { invalidField } from '../refusals.ts'

export type PutOpening =
  | { readonly kind: 'header'; readonly header: PutHeader }
  | { readonly kind: 'resume'; readonly header: ResumeHeader }

/** Splits a put into its header, which is read here, and its chunks, which are read as they are taken. */
export async function openPut(
  parts: AsyncIterable<PutPart>,
): Promise<{ opening: PutOpening; chunks: AsyncIterable<Buffer> }> {
  const iterator = parts[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done) throw invalidField('header', 'the stream ended without one')
  if (first.value.kind === 'chunk') throw invalidField('header', 'must come before the first chunk')
  return { opening: first.value, chunks: chunksOf(iterator) }
}

async function* chunksOf(iterator: AsyncIterator<PutPart>): AsyncGenerator<Buffer> {
  for (;;) {
    const step = await iterator.next()
    if (step.done) return
    if (step.value.kind !== 'chunk') throw invalidField('header', 'came a second time')
    yield step.value.bytes
  }
}
