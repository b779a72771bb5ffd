/**
 * What the executor and a process of handlers say to each other, over a socket of their own: each message as its length in four bytes and as V8
 * serializes it.
 *
 * 1. Of whoever says more than anybody has to, be it many messages or large ones, only so much is taken in a second. The rest stays with the one
 *    who says it.
 * 2. What cannot be read, or is larger than any message, ends the hearing.
 */
import type { Duplex } from 'node:stream'
import { deserialize, serialize } from 'node:v8'

/** Its descriptor in the process. */
export const PIPE = 3
const LENGTH_BYTES = 4
/** Of one message: the reports of a turn, or what modules announce. */
const MESSAGE_BYTES_MAX = 64 * 2 ** 20
/** In a second, and at once after a second of less. */
const MESSAGES_MAX = 5_000
const BYTES_MAX = 2 * MESSAGE_BYTES_MAX
const REST_MS = 100
/** Without a look at anything else. */
const TURN_MESSAGES_MAX = 100

/** Not those of the moment: a handler may have put others in their place. */
const { alloc, concat } = Buffer

export interface ProcessPipeListener {
  onMessage(message: unknown): void
  /** Once, where it hears no more of what comes: why, for people. */
  onUnreadable?(detail: string): void
}

export class ProcessPipe {
  readonly #stream: Duplex
  readonly #listener: ProcessPipeListener
  /** What has come of messages that were not heard yet. */
  #chunks: Buffer[] = []
  #bytes = 0
  #messagesLeft = MESSAGES_MAX
  #bytesLeft = BYTES_MAX
  #lookedMs = performance.now()
  #isWaiting = false
  #isDeaf = false

  constructor(stream: Duplex, listener: ProcessPipeListener) {
    this.#stream = stream
    this.#listener = listener
    stream.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#bytes += chunk.length
      this.#hear()
    })
    // That the other side has gone is told by its end.
    stream.on('error', () => {})
  }

  send(message: unknown): void {
    const body = serialize(message)
    const length = alloc(LENGTH_BYTES)
    length.writeUInt32BE(body.length)
    this.#stream.write(concat([length, body]))
  }

  /** Hears nothing any more. */
  close(): void {
    this.#isDeaf = true
    this.#chunks = []
    this.#bytes = 0
    this.#stream.destroy()
  }

  #hear(): void {
    if (this.#isWaiting) return
    this.#refill()
    for (let heard = 0; !this.#isDeaf; heard += 1) {
      const length = this.#nextLength()
      if (length === undefined) return
      if (length > MESSAGE_BYTES_MAX) {
        this.#refuse(`a message of ${length} bytes`)
        return
      }
      if (this.#bytes < LENGTH_BYTES + length) return
      const isTooMuch = this.#messagesLeft < 1 || this.#bytesLeft < length
      if (isTooMuch || heard >= TURN_MESSAGES_MAX) {
        this.#rest(isTooMuch ? REST_MS : 0)
        return
      }
      this.#messagesLeft -= 1
      this.#bytesLeft -= length
      this.#take(LENGTH_BYTES)
      let message: unknown
      try {
        message = deserialize(this.#take(length))
      } catch {
        this.#refuse('what is no message')
        return
      }
      this.#listener.onMessage(message)
    }
  }

  #refill(): void {
    const now = performance.now()
    const seconds = (now - this.#lookedMs) / 1_000
    this.#lookedMs = now
    this.#messagesLeft = Math.min(MESSAGES_MAX, this.#messagesLeft + seconds * MESSAGES_MAX)
    this.#bytesLeft = Math.min(BYTES_MAX, this.#bytesLeft + seconds * BYTES_MAX)
  }

  /** Goes on later, and takes in nothing until then. */
  #rest(ms: number): void {
    this.#isWaiting = true
    this.#stream.pause()
    const goOn = () => {
      this.#isWaiting = false
      if (this.#isDeaf) return
      this.#hear()
      if (!this.#isWaiting) this.#stream.resume()
    }
    if (ms === 0) setImmediate(goOn)
    else setTimeout(goOn, ms)
  }

  #nextLength(): number | undefined {
    if (this.#bytes < LENGTH_BYTES) return undefined
    const [first] = this.#chunks
    if (first !== undefined && first.length >= LENGTH_BYTES) return first.readUInt32BE()
    const head = this.#take(LENGTH_BYTES)
    this.#chunks.unshift(head)
    this.#bytes += LENGTH_BYTES
    return head.readUInt32BE()
  }

  /** The next so many bytes, which have come. */
  #take(bytes: number): Buffer {
    this.#bytes -= bytes
    const [first] = this.#chunks
    if (first !== undefined && first.length > bytes) {
      this.#chunks[0] = first.subarray(bytes)
      return first.subarray(0, bytes)
    }
    if (first?.length === bytes) {
      this.#chunks.shift()
      return first
    }
    const all = concat(this.#chunks)
    this.#chunks = all.length > bytes ? [all.subarray(bytes)] : []
    return all.subarray(0, bytes)
  }

  #refuse(what: string): void {
    this.close()
    this.#listener.onUnreadable?.(what)
  }
}
