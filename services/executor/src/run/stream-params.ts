import { BYTES_TYPE, type ByteStream, isWrappedType, streamOf } from '@offstage/sdk/jobs'
import type { AttemptOrder, ValueAddress } from '../domain/attempt.ts'
import { invalidParams } from './invalid-params.ts'
import type { AttemptContext } from './job-context.ts'
import { retryingStorage } from './retrying-storage.ts'

/**
 * The parameters as they come, for a handler that takes them so (row J3): read by its own thread, no faster than it takes them, from
 * where it begins to. An interrupted read goes on where it was; each attempt reads anew.
 */
export function streamParams(order: AttemptOrder, context: AttemptContext): ByteStream {
  const { params = '', paramsType = BYTES_TYPE } = order
  // Not JSON for the handler, whatever the caller says they are.
  if (typeof params === 'string') return streamOf(Buffer.from(params))
  if (params instanceof Uint8Array) {
    refuseWrapped(paramsType)
    return streamOf(params)
  }
  refuseWrapped(params.contentType)
  return stored(params, context)
}

async function* stored(
  { address }: ValueAddress,
  context: AttemptContext,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { ended, ownersClient } = context
  const signal = AbortSignal.any([ended, context.signal])
  const open = () => ownersClient.storage.getStream(address, { signal })
  try {
    await using value = await retryingStorage(signal, open)
    refuseWrapped(value.value.contentType)
    yield* value.chunks
  } catch (error) {
    // Whatever still reads on behalf of a handler that has ended, such as a Readable, is let go without a fault nobody would catch.
    if (!ended.aborted) throw error
  }
}

function refuseWrapped(contentType: string): void {
  if (!isWrappedType(contentType)) return
  throw invalidParams(
    `The method takes its parameters as a stream, and they are wrapped: ${contentType}. Start it with the codec json.`,
  )
}
