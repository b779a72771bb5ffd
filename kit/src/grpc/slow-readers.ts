/**
 * Streams whose answers wait for their readers. What waits is held in memory, so a reader that takes nothing for too long loses its
 * stream: with SLOW_READER if it reads on, else by a reset of the stream.
 *
 * 1. A stream is ended when one answer has waited for `patienceMs`, and for a second where memory is short.
 * 2. One timer serves all, and runs only while something waits.
 */
import { constants, type ServerHttp2Stream } from 'node:http2'
import { Refusal } from './refusal.ts'

const LOOK_EVERY_MS = 250
const PATIENCE_WHEN_OVERLOADED_MS = 1_000
/** Who begins to read again in this time is told the reason. */
const RESET_AFTER_MS = 2_000

interface Waiting {
  readonly sinceMs: number
  readonly end: (reason: Refusal) => void
}

export class SlowReaders {
  readonly #patienceMs: number
  readonly #isOverloaded: () => boolean
  /** In the order they began to wait. */
  readonly #waiting = new Set<Waiting>()
  #timer: NodeJS.Timeout | undefined

  constructor(patienceMs: number, isOverloaded: () => boolean) {
    this.#patienceMs = patienceMs
    this.#isOverloaded = isOverloaded
  }

  /** An answer begins to wait; call what is returned when it has gone. */
  wait(end: (reason: Refusal) => void): () => void {
    const waiting = { sinceMs: performance.now(), end }
    this.#waiting.add(waiting)
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
    return () => this.#waiting.delete(waiting)
  }

  #look(): void {
    const patienceMs = this.#isOverloaded()
      ? Math.min(PATIENCE_WHEN_OVERLOADED_MS, this.#patienceMs)
      : this.#patienceMs
    const latestMs = performance.now() - patienceMs
    for (const waiting of this.#waiting) {
      if (waiting.sinceMs > latestMs) break
      this.#waiting.delete(waiting)
      waiting.end(slowReader(patienceMs))
    }
    if (this.#waiting.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function slowReader(patienceMs: number): Refusal {
  return new Refusal({
    reason: 'SLOW_READER',
    message: `the answer was not read for ${patienceMs / 1_000} s; read faster, or ask for less at a time`,
    metadata: { limit: 'slow_reader', max_ms: String(patienceMs) },
    retryDelayMs: 1_000,
  })
}

/** Frees what the stream of a call still holds, if it is not gone by then. */
export function resetLater(stream: ServerHttp2Stream): void {
  setTimeout(() => {
    if (!stream.closed) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }, RESET_AFTER_MS).unref()
}
