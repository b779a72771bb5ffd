/**
 * Messages of which a part has come. What has come is held in memory until the rest is there, and calls of one request are held from
 * their headers on; so a sender that does not get on loses its call.
 *
 * 1. A message is whole in `patienceMs`, and in a second where memory is short, or its call ends with SLOW_SENDER.
 * 2. Where more than {@link BYTES_MAX} are held, so are in a second the messages of each caller who has more than an equal share.
 * 3. A message that comes in more pieces than its call takes, of less than {@link BYTES_OF_PIECE_MIN} bytes each on average is not
 *    waited for.
 * 4. One timer serves all, and runs only while something is unfinished.
 */
import { Tallies } from '../fairness/mod.ts'
import { Refusal } from './refusal.ts'

const LOOK_EVERY_MS = 250
const PATIENCE_WHEN_OVERLOADED_MS = 1_000
const BYTES_MAX = 256 * 1024 * 1024
/** What holding a piece costs beside its bytes: a message may come in pieces of one byte. */
const BYTES_OF_PIECE = 256

/** Who sends so many pieces of a message has to send larger ones: reading one takes its time, however small it is. */
export const PIECES_MAX = 1_024
const BYTES_OF_PIECE_MIN = 64

/** One message that is on its way. */
export interface Unfinished {
  readonly caller: string
  /** This and the next are written here alone. */
  sinceMs: number
  bytes: number
  pieces: number
  /** It is not waited for any longer. */
  end(reason: Refusal): void
}

export class UnfinishedRequests {
  readonly #patienceMs: number
  readonly #isOverloaded: () => boolean
  readonly #bytesMax: number
  /** In the order they began. */
  readonly #all = new Set<Unfinished>()
  #bytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(patienceMs: number, isOverloaded: () => boolean, bytesMax = BYTES_MAX) {
    this.#patienceMs = patienceMs
    this.#isOverloaded = isOverloaded
    this.#bytesMax = bytesMax
  }

  begin(one: Unfinished): void {
    one.sinceMs = performance.now()
    one.bytes = 0
    one.pieces = 0
    this.#all.add(one)
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
  }

  /** A piece of it has come; false where those are too many and too small. */
  receive(one: Unfinished, bytes: number, piecesMax: number): boolean {
    if (!this.#all.has(one)) return true
    this.#hold(one, bytes + BYTES_OF_PIECE)
    one.pieces += 1
    return one.pieces < piecesMax || one.bytes >= one.pieces * (BYTES_OF_PIECE_MIN + BYTES_OF_PIECE)
  }

  /** It is whole, or will never be. */
  finish(one: Unfinished): void {
    if (this.#all.delete(one)) this.#hold(one, -one.bytes)
  }

  #hold(one: Unfinished, bytes: number): void {
    one.bytes += bytes
    this.#bytes += bytes
  }

  #look(): void {
    const nowMs = performance.now()
    const short = Math.min(PATIENCE_WHEN_OVERLOADED_MS, this.#patienceMs)
    const isOverloaded = this.#isOverloaded()
    const bytesOf = this.#bytes > this.#bytesMax ? this.#bytesOfCallers() : undefined
    for (const one of this.#all) {
      const waitedMs = nowMs - one.sinceMs
      if (waitedMs < short) break
      const patienceMs = isOverloaded || this.#isOverShare(one, bytesOf) ? short : this.#patienceMs
      if (waitedMs < patienceMs) continue
      bytesOf?.add(one.caller, -one.bytes)
      this.finish(one)
      one.end(slowSender(patienceMs))
    }
    if (this.#all.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #bytesOfCallers(): Tallies {
    const bytesOf = new Tallies()
    for (const { caller, bytes } of this.#all) bytesOf.add(caller, bytes)
    return bytesOf
  }

  /** Of what is held at the moment: what this look has ended is not. */
  #isOverShare({ caller }: Unfinished, bytesOf: Tallies | undefined): boolean {
    return (
      bytesOf !== undefined &&
      this.#bytes > this.#bytesMax &&
      bytesOf.of(caller) > this.#bytesMax / bytesOf.callers
    )
  }
}

export function crumbledMessage(piecesMax: number): Refusal {
  return new Refusal({
    reason: 'SLOW_SENDER',
    message: `the message came in more than ${piecesMax} pieces of less than ${BYTES_OF_PIECE_MIN} bytes; send larger ones`,
    metadata: { limit: 'pieces', max: String(piecesMax) },
    retryDelayMs: 1_000,
  })
}

function slowSender(patienceMs: number): Refusal {
  return new Refusal({
    reason: 'SLOW_SENDER',
    message: `the message was not whole after ${patienceMs / 1_000} s; send faster, or less at a time`,
    metadata: { limit: 'slow_sender', max_ms: String(patienceMs) },
    retryDelayMs: 1_000,
  })
}
