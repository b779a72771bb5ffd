/** Parameters that are bytes as they come, of any length, and are never in memory as a whole (row J3). */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { shown } from '../arguments/shown.ts'
import { bytesOf } from './payload.ts'

/** Bytes as they come: to be read once, no faster than they are taken. */
export type ByteStream = AsyncIterable<Uint8Array>

/** What callers pass for a {@link byteStream}: a stream of Node or the web, a generator; or bytes. */
export type ByteSource = ByteStream | Uint8Array

const KIND = 'offstage.byte-stream'

/**
 * As `params` of a definition: the handler gets its parameters as a stream, from temp storage as it reads them. Callers pass a
 * stream, such as `createReadStream(path)`, or bytes.
 */
export const byteStream: StandardSchemaV1<ByteSource, ByteStream> & { readonly kind: string } = {
  kind: KIND,
  '~standard': {
    version: 1,
    vendor: 'offstage',
    validate(value) {
      if (isByteStream(value)) return { value }
      const bytes = bytesOf(value)
      if (bytes !== undefined) return { value: streamOf(bytes) }
      return { issues: [{ message: `must be a stream of bytes, or bytes, not ${shown(value)}` }] }
    },
  },
}

/** Whether a schema is {@link byteStream}, that of another copy of this package included. */
export function isByteStreamSchema(schema: StandardSchemaV1 | undefined): boolean {
  return schema !== undefined && 'kind' in schema && schema.kind === KIND
}

/** Whether a value is read piece by piece. */
export function isByteStream(value: unknown): value is ByteStream {
  if (typeof value !== 'object' || value === null || !(Symbol.asyncIterator in value)) return false
  return typeof value[Symbol.asyncIterator] === 'function'
}

/** Bytes in memory as a stream. */
export async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.byteLength > 0) yield bytes
}

/** Lets go of a stream that nobody will read, and of the file or connection behind it; harmless for one that was read. */
export function closeUnread(source: ByteStream): void {
  // Its own trouble with being closed is nobody's matter any more.
  close(source).catch(() => {})
}

async function close(source: ByteStream): Promise<void> {
  // Streams of Node and of the web: an iterator of theirs would be made only to be closed.
  if ('destroy' in source && typeof source.destroy === 'function') source.destroy()
  else if ('cancel' in source && typeof source.cancel === 'function') await source.cancel()
  else await source[Symbol.asyncIterator]().return?.()
}
