import { status } from '@grpc/grpc-js'
import { OffstageError } from '../grpc/mod.ts'
import { decodeBy, type KnownCodecs } from '../jobs/codec.ts'
import { CodecError } from '../jobs/codec-error.ts'

/**
 * Decodes what was read, at once where nothing was wrapped.
 * @throws SyntaxError where it is not what it says it is; OffstageError CODEC_UNKNOWN, CODEC_FAILED
 */
export function decodeRead(
  known: KnownCodecs,
  bytes: Uint8Array,
  contentType: string,
): unknown | Promise<unknown> {
  try {
    const value = decodeBy(known, bytes, contentType)
    return value instanceof Promise ? value.catch(refuse) : value
  } catch (error) {
    return refuse(error)
  }
}

function refuse(error: unknown): never {
  throw error instanceof CodecError ? codecRefused(error) : error
}

/** As every fault of a call is told. */
export function codecRefused(cause: CodecError): OffstageError {
  const { reason, message, contentType } = cause
  const code = status.FAILED_PRECONDITION
  return new OffstageError({ code, reason, message, metadata: { contentType }, cause })
}
