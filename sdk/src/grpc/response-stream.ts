import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js'
import type { CallOptions } from './call-options.ts'
import { errorFromStatus } from './error-from-status.ts'

/**
 * The responses of a call, read no faster than they are taken. Leaving the loop cancels the call; an
 * abort of the signal ends it at once, though responses may be buffered. To end a loop from outside
 * use the signal: a generator's `return()` waits for the response it is waiting for.
 */
export function responsesOf<Res>(
  stream: ClientReadableStream<Res>,
  options: CallOptions,
): AsyncGenerator<Res, void, undefined> {
  const { signal } = options
  let failure: ServiceError | undefined
  let wake = () => {}
  const onChange = () => wake()
  const cancel = () => {
    stream.cancel()
    wake()
  }
  // Listens from the beginning: an error without a listener would end the process.
  stream.on('error', (error: ServiceError) => {
    failure = error
    wake()
  })
  stream.once('status', () => signal?.removeEventListener('abort', cancel))
  signal?.addEventListener('abort', cancel, { once: true })
  return read()

  async function* read(): AsyncGenerator<Res, void, undefined> {
    stream.on('readable', onChange).on('end', onChange)
    try {
      for (;;) {
        signal?.throwIfAborted()
        const response: Res | null = stream.read()
        if (response !== null) {
          yield response
          continue
        }
        if (failure !== undefined) throw errorFromStatus(failure, options)
        if (stream.readableEnded) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    } finally {
      stream.off('readable', onChange).off('end', onChange)
      stream.cancel()
    }
  }
}
