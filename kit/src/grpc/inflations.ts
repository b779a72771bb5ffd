/**
 * Compressed messages become up to a thousand times as large, whole ones out of a packet. So only a few are inflated at once, of
 * callers in turn; what waits is small.
 */
import { Turns } from '../fairness/mod.ts'
import { Refusal } from './refusal.ts'
import { statusFromError } from './status-from-error.ts'

/** What grpc-js has of it in a call; its interface has no word of it. */
export interface Compressed {
  /** `identity`, `deflate` or `gzip`. */
  readonly incomingEncoding: string
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>
}

const AT_ONCE = 4
const WAITING_MAX = 10_000

export function inflations(): Turns {
  return new Turns({
    atOnce: AT_ONCE,
    perCaller: AT_ONCE - 1,
    waitingMax: WAITING_MAX,
    refuse: () =>
      new Refusal({
        reason: 'OVERLOADED',
        message: 'too many compressed messages wait to be read; nothing of this call was kept',
        metadata: { limit: 'compressed_messages', max: String(WAITING_MAX) },
        retryDelayMs: 1_000,
      }),
  })
}

/** The call reads its compressed messages when it is its caller's turn, and none that comes in more than `bytesMax`. */
export function inflateInTurn(
  call: Compressed,
  caller: string,
  turns: Turns,
  bytesMax = Number.POSITIVE_INFINITY,
): void {
  if (call.incomingEncoding === 'identity') return
  const inflate = call.decompressMessage.bind(call)
  call.decompressMessage = async (message, encoding) => {
    if (encoding === 'identity') return inflate(message, encoding)
    try {
      if (message.length > bytesMax) throw tooLarge(bytesMax)
      return await turns.take(caller, undefined, async () => inflate(message, encoding))
    } catch (error) {
      // grpc-js sends what is thrown, and throws itself what it sends.
      throw error instanceof Refusal ? statusFromError(error, () => {}) : error
    }
  }
}

function tooLarge(bytesMax: number): Refusal {
  const message = `this takes compressed messages of ${bytesMax} bytes at most`
  return new Refusal({ reason: 'MESSAGE_TOO_LARGE', message })
}
