/** Reading values: an interrupted read goes on where it was, and what was read is compared with its checksum (row S1). */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import type { GetValueResponse } from '@offstage/proto/storage'
import { callServerStream, OffstageError } from '../grpc/mod.ts'
import type { Calls } from './calls.ts'
import type { StoredValue, ValueStream } from './storage-calls.ts'
import { describedFrom } from './stored-value.ts'

/** How often a read that was opened again breaks without a byte having come, before it is given up. */
const RESUMES_MAX = 5
const RESUME_FIRST_MS = 100

/**
 * Opens a value for reading; rejects when there is none, and with ETAG_MISMATCH when it has not, or no more, the SHA-256
 * asked for.
 */
export async function openDownload(
  calls: Calls,
  address: string,
  signal: AbortSignal | undefined,
  sha256: Buffer = Buffer.alloc(0),
): Promise<ValueStream> {
  const closing = closable(signal)
  const open = (offset: number, ifSha256: Buffer) =>
    calls.repeat(closing.signal, () => {
      const { values, storage } = calls.connection
      const request = { address, offset: BigInt(offset), ifSha256 }
      return calls.authorized((metadata) => {
        const terms = { signal: closing.signal, metadata, target: storage }
        return begin(callServerStream(values.getValue.bind(values), request, terms))
      }, closing.signal)
    })
  const reopen = async (value: StoredValue, offset: number) => {
    const { parts } = await open(offset, Buffer.from(value.sha256, 'hex'))
    return parts
  }
  return streamOf(await open(0, sha256), closing, reopen)
}

/**
 * Opens a value that is deleted by being read: it can be read only once (row L4). ETAG_MISMATCH, and it stays, when it has not
 * the SHA-256 asked for.
 */
export async function takeDownload(
  calls: Calls,
  address: string,
  signal: AbortSignal | undefined,
  ifSha256: Buffer = Buffer.alloc(0),
): Promise<ValueStream> {
  const { values, storage } = calls.connection
  const closing = closable(signal)
  const begun = await calls.authorized((metadata) => {
    const terms = { signal: closing.signal, metadata, target: storage }
    const method = values.readAndDeleteValue.bind(values)
    return begin(callServerStream(method, { address, ifSha256 }, terms))
  }, closing.signal)
  return streamOf(begun, closing, undefined)
}

type Parts = AsyncGenerator<GetValueResponse, void, undefined>
type Reopen = (value: StoredValue, offset: number) => Promise<Parts>

/** A read of which the description has come. */
interface Begun {
  readonly value: StoredValue
  readonly parts: Parts
}

async function begin(parts: Parts): Promise<Begun> {
  const first = await parts.next()
  const part = first.done ? undefined : first.value.part
  if (part?.$case !== 'value') throw broken('the value came without its description')
  return { value: describedFrom(part.value), parts }
}

/** What ends a read: the caller's signal, or that the stream is closed. */
interface Closing {
  readonly signal: AbortSignal
  close(): void
}

function closable(signal: AbortSignal | undefined): Closing {
  const closed = new AbortController()
  return {
    signal: signal === undefined ? closed.signal : AbortSignal.any([signal, closed.signal]),
    close: () => closed.abort(new Error('the value is read no further: its stream was closed')),
  }
}

function streamOf(begun: Begun, closing: Closing, reopen: Reopen | undefined): ValueStream {
  const { value } = begun
  const bytes = chunksOf(begun, closing.signal, reopen)
  // The return() of a generator that was not begun skips its finally; and it waits for a chunk that is awaited.
  const close = () => {
    closing.close()
    return bytes.return()
  }
  const chunks: AsyncIterableIterator<Uint8Array, void, undefined> = {
    next: () => bytes.next(),
    return: close,
    [Symbol.asyncIterator]: () => chunks,
  }
  return {
    value,
    chunks,
    async [Symbol.asyncDispose]() {
      await close()
    },
  }
}

async function* chunksOf(
  { value, parts: first }: Begun,
  signal: AbortSignal,
  reopen: Reopen | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256')
  let parts = first
  let offset = 0
  for (let failures = 0; ; ) {
    try {
      for await (const { part } of parts) {
        if (part?.$case !== 'chunk') continue
        failures = 0
        offset += part.value.byteLength
        hash.update(part.value)
        yield part.value
      }
      break
    } catch (error) {
      const isOver = reopen === undefined || failures === RESUMES_MAX
      if (isOver || !(error instanceof OffstageError) || !error.retryable) throw error
      failures += 1
      const pauseMs = RESUME_FIRST_MS * 2 ** (failures - 1)
      await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted())
      parts = await reopen(value, offset)
    }
  }
  if (offset !== value.size) throw broken(`${offset} of ${value.size} bytes of the value came`)
  if (hash.digest('hex') !== value.sha256) throw broken('the bytes read have another SHA-256')
}

/** All of a value, for those that fit into memory. */
export async function readAll(
  value: StoredValue,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return parts.length === 1 && Buffer.isBuffer(parts[0])
    ? parts[0]
    : Buffer.concat(parts, value.size)
}

function broken(message: string): OffstageError {
  return new OffstageError({ code: status.DATA_LOSS, reason: 'CHECKSUM_MISMATCH', message })
}
