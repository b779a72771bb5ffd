import type { StoredValue } from '@offstage/sdk/client'
import { OffstageError } from '@offstage/sdk/grpc'
import {
  BYTES_TYPE,
  bytesOf,
  type Codec,
  checkValue,
  type EncodedValue,
  encodeBy,
  INLINE_BYTES_MAX,
  isByteStream,
  isWrapping,
  type JobDefinition,
  JSON_TYPE,
  jsonText,
  NotEncodableError,
} from '@offstage/sdk/jobs'
import type { AttemptOrder, HandlerEnd, ResultValue } from '../domain/attempt.ts'
import { AttemptFault } from '../domain/fault.ts'
import type { AttemptContext } from './job-context.ts'
import { storingResult } from './retrying-storage.ts'

/** Puts a result where it belongs: into the completion when it is small, else to temp storage. */
export function placeResult(
  order: AttemptOrder,
  context: AttemptContext,
  definition: JobDefinition,
  value: unknown,
): HandlerEnd | Promise<HandlerEnd> {
  const additional = context.additionalResult
  const { result, codec } = definition
  const plain = additional === undefined && result === undefined && codec === undefined
  if (plain && order.resultAddress === undefined && !isByteStream(value)) {
    const encoded = encodeJson(value, 'result')
    if (encoded === undefined) return { kind: 'succeeded' }
    if (isSmall(encoded)) return { kind: 'succeeded', result: inlineOf(encoded) }
  }
  return placeWithCare(order, context, definition, value)
}

async function placeWithCare(
  order: AttemptOrder,
  context: AttemptContext,
  definition: JobDefinition,
  value: unknown,
): Promise<HandlerEnd> {
  await checkResult(definition, value)
  const { codec } = definition
  const result = await place({ what: 'result', codec }, value, order.resultAddress, context)
  const additional = await place(
    { what: 'additionalResult', codec },
    context.additionalResult,
    order.additionalResultAddress,
    context,
  )
  return {
    kind: 'succeeded',
    ...(result === undefined ? {} : { result }),
    ...(additional === undefined ? {} : { additional }),
  }
}

async function checkResult(definition: JobDefinition, value: unknown): Promise<void> {
  if (definition.result === undefined) return
  const checked = await checkValue(definition.result, value, 'result')
  if (checked.kind === 'valid') return
  const problems = checked.violations.map(({ field, description }) => `${field}: ${description}`)
  throw new AttemptFault('RESULT_INVALID', `The result does not fit: ${problems.join('; ')}`, {
    retryable: false,
  })
}

interface Placed {
  readonly what: 'result' | 'additionalResult'
  readonly codec: JobDefinition['codec']
}

async function place(
  { what, codec }: Placed,
  value: unknown,
  address: string | undefined,
  context: AttemptContext,
): Promise<ResultValue | undefined> {
  // To temp storage as it comes, whatever its size.
  if (isByteStream(value)) {
    if (isWrapping(codec)) throw unwrappable(what)
    const put = putBytes(value, address, BYTES_TYPE, context)
    return addressOf(await put.catch((cause: unknown) => refuseStream(what, cause)))
  }
  const encoded = codec === undefined ? encodeJson(value, what) : await encode(codec, value, what)
  if (encoded === undefined) return undefined
  if (address === undefined && isSmall(encoded)) return inlineOf(encoded)
  const { bytes, contentType } = storedOf(encoded)
  const put = () => putBytes(bytes, address, contentType, context)
  return addressOf(await storingResult(context, put))
}

function putBytes(
  source: Uint8Array | AsyncIterable<Uint8Array>,
  address: string | undefined,
  contentType: string,
  { signal, ownersClient }: AttemptContext,
): Promise<StoredValue> {
  // Where the caller named no address it is the job's own.
  const forJob = address === undefined
  // As it is: what the codec makes of a result has been made.
  const codec = 'json'
  return ownersClient.storage.put(source, { address, contentType, forJob, signal, codec })
}

function addressOf({ address, contentType, sha256 }: StoredValue): ResultValue {
  return { address, contentType, sha256 }
}

/** JSON text, bytes alone, or what a codec made. */
type Encoded = string | Buffer | EncodedValue

function encodeJson(value: unknown, what: string): string | Buffer | undefined {
  try {
    return bytesOf(value) ?? jsonText(value)
  } catch (cause) {
    return refuseLost(what, cause)
  }
}

async function encode(codec: Codec, value: unknown, what: string): Promise<Encoded | undefined> {
  try {
    const encoded = await encodeBy(codec, value)
    if (encoded?.contentType === '') return encoded.bytes.toString()
    return encoded?.contentType === BYTES_TYPE ? encoded.bytes : encoded
  } catch (cause) {
    return refuseLost(what, cause)
  }
}

function refuseLost(what: string, cause: unknown): never {
  if (!(cause instanceof NotEncodableError)) throw cause
  const { path, problem } = cause
  const where = path === '' ? what : `${what}.${path}`
  throw notSerializable(`The result cannot travel: ${where}: ${problem}`, cause)
}

/** It is read once: of one that has brought more than is kept the handler alone has the rest. */
function refuseStream(what: string, cause: unknown): never {
  if (!(cause instanceof OffstageError && cause.retryable)) return refuseLost(what, cause)
  const problem =
    'a stream is read once, so the handler has to run again, where its job has an attempt left'
  const message = `The ${what} was interrupted on its way to temp storage: ${problem}: ${cause.message}`
  throw new AttemptFault(cause.reason, message, { retryable: true, cause })
}

function unwrappable(what: string): AttemptFault {
  const problem = 'a stream cannot be wrapped; return its bytes, or put what you have wrapped'
  return notSerializable(`The result cannot travel: ${what}: ${problem}`)
}

function notSerializable(message: string, cause?: unknown): AttemptFault {
  return new AttemptFault('RESULT_NOT_SERIALIZABLE', message, { retryable: false, cause })
}

function storedOf(encoded: Encoded): EncodedValue {
  if (typeof encoded === 'string') return { bytes: Buffer.from(encoded), contentType: JSON_TYPE }
  if (Buffer.isBuffer(encoded)) return { bytes: encoded, contentType: BYTES_TYPE }
  return encoded
}

/** What goes along to the main thread: a copy of its own, since posting a view would copy all it is a view of. */
function inlineOf(encoded: Encoded): ResultValue {
  if (typeof encoded === 'string') return encoded
  if (encoded instanceof Uint8Array) return new Uint8Array(encoded)
  return { bytes: new Uint8Array(encoded.bytes), contentType: encoded.contentType }
}

function isSmall(encoded: Encoded): boolean {
  if (encoded instanceof Uint8Array) return encoded.byteLength <= INLINE_BYTES_MAX
  if (typeof encoded === 'object') return encoded.bytes.byteLength <= INLINE_BYTES_MAX
  if (encoded.length * 3 <= INLINE_BYTES_MAX) return true
  return encoded.length <= INLINE_BYTES_MAX && Buffer.byteLength(encoded) <= INLINE_BYTES_MAX
}
