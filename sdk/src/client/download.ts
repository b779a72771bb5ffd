/** Reading values: an interrupted read goes on where it was, and what was read is compared with its checksum (row S1). */
import { createHash } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import type { GetValueResponse } from '@offstage/proto/storage'
import { callServerStream, OffstageError } from '../grpc/mod.ts'
import type { Session } from './session.ts'
import type { StoredValue, ValueStream } from './storage-calls.ts'
import { describedFrom } from './stored-value.ts'

/** How often a read is taken up again without a byte having come meanwhile. */
const RESUMES_MAX = 5
const RESUME_FIRST_MS = 100

/** Opens a value for reading; rejects when there is none. */
export async function openDownload(
  session: Session,
  address: string,
  signal: AbortSignal | undefined,
): Promise<ValueStream> {
  const open = (offset: number, ifSha256: Buffer) => {
    const { values, storage } = session.connection
    return callServerStream(
      values.getValue.bind(values),
      { address, offset: BigInt(offset), ifSha256 },
      { signal, metadata: session.identity.metadata, target: storage },
    )
  }
  return begin(open(0, Buffer.alloc(0)), (value, offset) =>
    open(offset, Buffer.from(value.sha256, 'hex')),
  )
}

/** Opens a value that is deleted by being read: it can be read only once (row L4). */
export async function takeDownload(
  session: Session,
  address: string,
  signal: AbortSignal | undefined,
): Promise<ValueStream> {
  const { values, storage } = session.connection
  const { metadata } = session.identity
  const call = callServerStream(
    values.readAndDeleteValue.bind(values),
    { address },
    { signal, metadata, target: storage },
  )
  return begin(call, undefined)
}

type Parts = AsyncGenerator<GetValueResponse, void, undefined>
type Reopen = (value: StoredValue, offset: number) => Parts

async function begin(parts: Parts, reopen: Reopen | undefined): Promise<ValueStream> {
  const first = await parts.next()
  const part = first.done ? undefined : first.value.part
  if (part?.$case !== 'value') throw broken('the value came without its description')
  const value = describedFrom(part.value)
  return { value, chunks: chunksOf(value, parts, reopen) }
}

async function* chunksOf(
  value: StoredValue,
  first: Parts,
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
      await pause(RESUME_FIRST_MS * 2 ** (failures - 1))
      parts = reopen(value, offset)
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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function broken(message: string): OffstageError {
  return new OffstageError({ code: status.DATA_LOSS, reason: 'CHECKSUM_MISMATCH', message })
}
