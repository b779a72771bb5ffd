import type { ClientWritableStream } from '@grpc/grpc-js'

/** The sending half of a call. Once the call is over, sending does nothing and nobody waits. */
export interface RequestWriter<Req> {
  /** Queues a message. False: the other side is behind (wait for drained) or the call is over. */
  send(message: Req): boolean
  /** Resolves when there is room again, or the call is over. */
  drained(): Promise<void>
  /** Says that no more will come. */
  end(): void
}

export function requestWriter<Req>(stream: ClientWritableStream<Req>): RequestWriter<Req> {
  let over = false
  stream.once('status', () => {
    over = true
  })
  return {
    send: (message) => !over && !stream.writableEnded && stream.write(message),
    drained: () => {
      if (over || !stream.writableNeedDrain) return Promise.resolve()
      return new Promise((resolve) => {
        const settle = () => {
          stream.off('drain', settle).off('status', settle)
          resolve()
        }
        stream.on('drain', settle).on('status', settle)
      })
    },
    end: () => {
      stream.end()
    },
  }
}
