/** What has been sent over a connection and may not have left this process: a server that stops reading makes it pile up. */
import type { NatsConnection } from '@nats-io/transport-node'
import type { BusMessage } from './bus.ts'

const BYTES_MAX = 8 * 1024 * 1024
/** Fewer are not worth a round trip. */
const ASKED_FOR_BYTES_MIN = 64 * 1024
/** What a message takes beside its subject and payload: most are no more than a subject. */
const MESSAGE_BYTES = 64

/** A connection, and the end of waiting for its answers. */
export interface Link {
  readonly connection: NatsConnection
  readonly gone: AbortController
}

export class Unconfirmed {
  #bytes = 0
  #confirming = false

  /** Nothing more is to be sent. */
  get isFull(): boolean {
    return this.#bytes >= BYTES_MAX
  }

  /** It was sent. */
  add({ subject, payload }: BusMessage, link: Link): void {
    this.#bytes += MESSAGE_BYTES + subject.length + payload.byteLength
    if (this.#bytes >= ASKED_FOR_BYTES_MIN && !this.#confirming) void this.#confirm(link)
  }

  /** What was sent over the connection before is lost. */
  forget(): void {
    this.#bytes = 0
  }

  /** Asks the server, once per round trip, to confirm what has been sent until now. */
  async #confirm(link: Link): Promise<void> {
    this.#confirming = true
    while (this.#bytes >= ASKED_FOR_BYTES_MIN) {
      const sentBytes = this.#bytes
      await confirmed(link)
      this.#bytes = Math.max(0, this.#bytes - sentBytes)
    }
    this.#confirming = false
  }
}

/** Whether the server answered to all that was sent before; false when the connection was lost. */
export function confirmed({ connection, gone }: Link): Promise<boolean> {
  return new Promise((resolve) => {
    // The library forgets its pending flushes when it is closed.
    const lost = () => resolve(false)
    gone.signal.addEventListener('abort', lost, { once: true })
    const answered = () => {
      gone.signal.removeEventListener('abort', lost)
      resolve(true)
    }
    connection.flush().then(answered, () => {
      gone.signal.removeEventListener('abort', lost)
      lost()
    })
  })
}
