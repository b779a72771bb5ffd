import type { StoredValue } from '@offstage/sdk/client'
import {
  BYTES_TYPE,
  bytesOf,
  checkValue,
  INLINE_BYTES_MAX,
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
  const plain = additional === undefined && definition.result === undefined
  if (plain && order.resultAddress === undefined && !isByteStream(value)) {
    const encoded = encode(value, 'result')
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
  const result = await place('result', value, order.resultAddress, context)
  const additional = await place(
    'additionalResult',
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

async function place(
  what: string,
  value: unknown,
  address: string | undefined,
  context: AttemptContext,
): Promise<ResultValue | undefined> {
  // Read once, so it cannot be sent again.
  if (isByteStream(value)) return addressOf(await putBytes(value, address, BYTES_TYPE, context))
  const encoded = encode(value, what)
  if (encoded === undefined) return undefined
  if (address === undefined && isSmall(encoded)) return inlineOf(encoded)
  const [bytes, type] =
    typeof encoded === 'string' ? [Buffer.from(encoded), JSON_TYPE] : [encoded, BYTES_TYPE]
  return addressOf(await storingResult(context, () => putBytes(bytes, address, type, context)))
}

function putBytes(
  source: Uint8Array | AsyncIterable<Uint8Array>,
  address: string | undefined,
  contentType: string,
  { signal, ownersClient }: AttemptContext,
): Promise<StoredValue> {
  // Where the caller named no address it is the job's own.
  const forJob = address === undefined
  return ownersClient.storage.put(source, { address, contentType, forJob, signal })
}

function addressOf({ address, contentType, sha256 }: StoredValue): ResultValue {
  return { address, contentType, sha256 }
}

/** A stream of bytes goes to temp storage as it comes, whatever its size. */
function isByteStream(value: unknown): value is AsyncIterable<Uint8Array> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

function encode(value: unknown, what: string): string | Buffer | undefined {
  try {
    return bytesOf(value) ?? jsonText(value)
  } catch (cause) {
    if (!(cause instanceof NotEncodableError)) throw cause
    const { path, problem } = cause
    const where = path === '' ? what : `${what}.${path}`
    throw new AttemptFault(
      'RESULT_NOT_SERIALIZABLE',
      `The result cannot travel: ${where}: ${problem}`,
      {
        retryable: false,
        cause,
      },
    )
  }
}

/** What goes along to the main thread: a copy of its own, since posting a view would copy all it is a view of. */
function inlineOf(encoded: string | Buffer): ResultValue {
  return typeof encoded === 'string' ? encoded : new Uint8Array(encoded)
}

function isSmall(encoded: string | Buffer): boolean {
  if (typeof encoded !== 'string') return encoded.byteLength <= INLINE_BYTES_MAX
  if (encoded.length * 3 <= INLINE_BYTES_MAX) return true
  return encoded.length <= INLINE_BYTES_MAX && Buffer.byteLength(encoded) <= INLINE_BYTES_MAX
}
