import type { Payload } from '@offstage/proto/jobs'
import type { ByteStream } from '../jobs/byte-stream.ts'
import { PARAMS_BYTES_MAX } from '../jobs/payload.ts'
import { paramsTooLarge } from './job-errors.ts'
import type { StartOptions } from './options.ts'
import type { Session } from './session.ts'

/** Puts a stream where large parameters are, as it comes: whatever its size, little of it is in memory (row J3). */
export async function putStream(
  session: Session,
  method: string,
  source: ByteStream,
  { signal }: StartOptions,
): Promise<Payload> {
  const limit = (bytes: number) => {
    if (bytes > PARAMS_BYTES_MAX) throw paramsTooLarge(method, bytes)
  }
  const stored = await session.storage.putStream(source, { forJob: true, signal }, limit)
  const { address, contentType, sha256 } = stored
  return {
    source: { $case: 'address', value: address },
    contentType,
    sha256: Buffer.from(sha256, 'hex'),
  }
}
