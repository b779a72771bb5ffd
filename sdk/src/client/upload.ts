/** Writing values in chunks, with flat memory; the checksum of what was sent is compared with what was stored (row S1). */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setImmediate as immediate } from 'node:timers/promises'
import { type Metadata, status } from '@grpc/grpc-js'
import { durationFrom } from '@offstage/proto/durations'
import type { PutValueHeader, PutValueRequest } from '@offstage/proto/storage'
import { shown } from '../arguments/shown.ts'
import { callClientStream, OffstageError, retrying } from '../grpc/mod.ts'
import { NotEncodableError } from '../jobs/not-encodable.ts'
import { bytesOf } from '../jobs/payload.ts'
import type { Calls } from './calls.ts'
import { gathered } from './gathered.ts'
import { Replayed } from './replayed.ts'
import type { PutOptions, StoredValue } from './storage-calls.ts'
import { describedFrom } from './stored-value.ts'
import { uploadPatience } from './upload-patience.ts'

/** A quarter of what one message takes: enough for speed, little to lose. */
const CHUNK_BYTES = 256 * 1024
/** A few milliseconds of hashing. */
const HASH_BYTES = 4 * 1024 * 1024
/** How often one call is made again from another offset. */
const CORRECTIONS_MAX = 5
/** From here on an interrupted upload goes on where it was instead of from the beginning. */
export const RESUMABLE_BYTES_MIN = 4 * 1024 * 1024

/** Stores bytes in memory; sent again when the service is unavailable. */
export async function uploadBytes(
  calls: Calls,
  bytes: Buffer,
  options: PutOptions,
): Promise<StoredValue> {
  const header = { ...headerFrom(calls, options), size: BigInt(bytes.byteLength) }
  const { signal } = options
  const stored =
    bytes.byteLength >= RESUMABLE_BYTES_MIN
      ? await uploadResumably(calls, header, bytes, signal)
      : await uploadAtOnce(calls, header, bytes, signal)
  return compared(stored, await sha256Of(bytes))
}

/** Stores bytes in one call; its request id makes a repeat change nothing. */
async function uploadAtOnce(
  calls: Calls,
  header: PutValueHeader,
  bytes: Buffer,
  signal: AbortSignal | undefined,
): Promise<StoredValue> {
  const once = { ...header, requestId: calls.nextRequestId() }
  return calls.repeat(signal, () => send(calls, () => requestsOf(once, bytes), signal))
}

/** Stores bytes by an upload that goes on where it was interrupted. */
async function uploadResumably(
  calls: Calls,
  header: PutValueHeader,
  bytes: Buffer,
  signal: AbortSignal | undefined,
): Promise<StoredValue> {
  const uploadId = await startUpload(calls, header, signal)
  const giveUp = uploadPatience(calls)
  const policy = { attempts: Number.POSITIVE_INFINITY, giveUp, signal }
  const rest = { ...header, uploadId }
  return retrying(policy, async (attempt) => {
    if (attempt === 1) return sendRest(calls, rest, bytes, 0, signal)
    try {
      const from = await uploadedBytes(calls, uploadId, bytes.byteLength, signal)
      return await sendRest(calls, rest, bytes, from, signal)
    } catch (error) {
      throw isOver(error) ? answerLost(error, uploadId) : error
    }
  })
}

/** Sends what is missing; where a call before has brought more than was known, from where the service says. */
async function sendRest(
  calls: Calls,
  header: PutValueHeader,
  bytes: Buffer,
  from: number,
  signal: AbortSignal | undefined,
): Promise<StoredValue> {
  let offset = from
  for (let corrections = 0; ; corrections += 1) {
    try {
      const rest = { ...header, offset: BigInt(offset) }
      return await send(calls, () => requestsOf(rest, bytes), signal)
    } catch (error) {
      const expected = expectedOffset(error)
      const isHelp = expected !== undefined && expected !== offset && expected <= bytes.byteLength
      if (!isHelp || corrections === CORRECTIONS_MAX) throw error
      offset = expected
    }
  }
}

/**
 * Stores what a stream brings. It is read once: what is interrupted is sent again for as long as little of it is under way. The trailer tells
 * the service that this was all: a stream that breaks off stores nothing. So does one for which `onBytes`, told how many have
 * come, throws.
 */
export async function uploadStream(
  calls: Calls,
  source: AsyncIterable<Uint8Array>,
  options: PutOptions,
  onBytes: (count: number) => void = () => {},
): Promise<StoredValue> {
  const hash = createHash('sha256')
  let count = 0
  const requestId = calls.nextRequestId()
  const header = { ...headerFrom(calls, options), trailer: true, requestId }
  const pieces = source[Symbol.asyncIterator]()
  const take = (piece: unknown) => {
    const bytes = bytesOf(piece)
    if (bytes === undefined) {
      throw new NotEncodableError('', `a stream to put gives bytes, not ${shown(piece)}`)
    }
    count += bytes.byteLength
    onBytes(count)
    return bytes
  }
  async function* requests(): AsyncGenerator<PutValueRequest, void, undefined> {
    yield { part: { $case: 'header', value: header } }
    for await (const chunk of gathered(pieces, CHUNK_BYTES, take)) {
      hash.update(chunk)
      yield { part: { $case: 'chunk', value: chunk } }
    }
    yield { part: { $case: 'trailer', value: { sha256: hash.digest() } } }
  }
  const close = () => closeSource(source, pieces)
  return sendOnce(calls, requests(), close, options.signal)
}

/** Sends what can be read once; again, with another token or after an outage, while all that was read is kept. */
async function sendOnce(
  calls: Calls,
  requests: AsyncGenerator<PutValueRequest, void, undefined>,
  close: () => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<StoredValue> {
  const replayed = new Replayed(requests, ({ part }) =>
    part?.$case === 'chunk' ? part.value.byteLength : 0,
  )
  let failure: unknown
  const read = () => {
    if (!replayed.isWhole) throw failure
    return replayed.read()
  }
  const note = (error: unknown) => {
    failure = error
  }
  try {
    return await calls.repeat(signal, () => send(calls, read, signal, note), {
      giveUp: () => !replayed.isWhole,
    })
  } finally {
    // Its own fault, or what it says of being closed, is no matter of the call any more.
    void close().catch(() => {})
  }
}

/** At once, also while a piece of it is awaited. */
async function closeSource(source: AsyncIterable<unknown>, pieces: AsyncIterator<unknown>) {
  // A Readable of Node is read by a generator, whose return() would wait for the piece.
  if (source instanceof Readable) source.destroy()
  await pieces.return?.()
}

async function send(
  calls: Calls,
  requests: () => AsyncIterable<PutValueRequest> | Iterable<PutValueRequest>,
  signal: AbortSignal | undefined,
  onFailure: (error: unknown) => void = () => {},
): Promise<StoredValue> {
  const { values, storage } = calls.connection
  const put = async (metadata: Metadata) => {
    const method = values.putValue.bind(values)
    try {
      return await callClientStream(method, requests(), { signal, metadata, target: storage })
    } catch (error) {
      onFailure(error)
      throw error
    }
  }
  const { value } = await calls.authorized(put, signal)
  return describedFrom(value)
}

function* requestsOf(
  header: PutValueHeader,
  bytes: Buffer,
): Generator<PutValueRequest, void, undefined> {
  yield { part: { $case: 'header', value: header } }
  yield* chunksOf(bytes, Number(header.offset))
}

function* chunksOf(bytes: Buffer, from: number): Generator<PutValueRequest, void, undefined> {
  for (let at = from; at < bytes.byteLength; at += CHUNK_BYTES) {
    yield { part: { $case: 'chunk', value: bytes.subarray(at, at + CHUNK_BYTES) } }
  }
}

/** In pieces, so that a large value does not hold up the event loop. */
async function sha256Of(bytes: Buffer): Promise<string> {
  const hash = createHash('sha256')
  for (let at = 0; at < bytes.byteLength; at += HASH_BYTES) {
    if (at > 0) await immediate()
    hash.update(bytes.subarray(at, at + HASH_BYTES))
  }
  return hash.digest('hex')
}

function headerFrom(
  { identity }: Calls,
  { address, contentType, scope, timeToLiveMs, owner, forJob = false }: PutOptions,
): PutValueHeader {
  return {
    namespace: identity.namespace,
    address: address ?? '',
    contentType: contentType ?? '',
    scope: forJob ? '' : (scope ?? identity.scope),
    timeToLive: durationFrom(timeToLiveMs),
    sha256: Buffer.alloc(0),
    uploadId: '',
    offset: 0n,
    owner: owner ?? '',
    trailer: false,
    requestId: '',
    forJob,
  }
}

async function startUpload(
  calls: Calls,
  header: PutValueHeader,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { values } = calls.connection
  const method = values.startUpload.bind(values)
  return (await calls.callStorage(method, { header }, { signal })).uploadId
}

/** How far an upload has come; all of it where it is over: sending no more then asks for the answer that was lost. */
async function uploadedBytes(
  calls: Calls,
  uploadId: string,
  size: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { values } = calls.connection
  const method = values.getUpload.bind(values)
  try {
    return Number((await calls.callStorage(method, { uploadId }, { signal })).received)
  } catch (error) {
    if (isOver(error)) return size
    throw error
  }
}

function isOver(error: unknown): error is OffstageError {
  return error instanceof OffstageError && error.reason === 'UPLOAD_NOT_FOUND'
}

function answerLost(cause: OffstageError, uploadId: string): OffstageError {
  const { code, reason, metadata } = cause
  const message =
    `upload ${uploadId} is over: its value was stored and the answer lost, or it made no headway ` +
    'and was removed; look before you put it again'
  return new OffstageError({ code, reason, message, metadata, cause })
}

function expectedOffset(error: unknown): number | undefined {
  if (!(error instanceof OffstageError) || error.reason !== 'OFFSET_INVALID') return undefined
  const expected = Number(error.metadata.expected)
  return Number.isInteger(expected) ? expected : undefined
}

function compared(stored: StoredValue, sha256: string): StoredValue {
  if (stored.sha256 === sha256) return stored
  throw new OffstageError({
    code: status.DATA_LOSS,
    reason: 'CHECKSUM_MISMATCH',
    message: `the value stored at ${stored.address} is not the one that was sent`,
  })
}
