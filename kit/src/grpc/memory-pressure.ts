/**
 * Says when memory is about to end, before it does: a process that is over its heap or its container's limit is ended without a word,
 * and with it all calls.
 *
 * 1. It is short when two looks in a row find more than {@link HIGH} of a limit in use, and until one finds less than {@link LOW}.
 * 2. What is not in use any more does not count: a process that has let go of much keeps it for itself until it is made to give it
 *    back, which takes a moment, so that is done where it is short of memory alone, and once in {@link COLLECT_EVERY_MS}.
 */
import { Session } from 'node:inspector/promises'
import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'

const LOOK_EVERY_MS = 250
const COLLECT_EVERY_MS = 5_000
const HIGH = 0.85
const LOW = 0.75

/** The part of its limit that is in use, of the heap and of the process, whichever is more. */
export type MemoryInUse = () => number

/** @param bytesMax of the whole process; default: that of its container, or of the machine */
export function memoryInUse(
  bytesMax = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem()),
): MemoryInUse {
  return () => {
    const heap = getHeapStatistics()
    const ofHeap = heap.used_heap_size / heap.heap_size_limit
    return Math.max(ofHeap, process.memoryUsage.rss() / bytesMax)
  }
}

/** Unlike a collection that V8 does by itself this one gives back what the heap and buffers had. */
async function collectGarbage(): Promise<void> {
  const session = new Session()
  session.connect()
  // Disconnecting within the callback of this would never end.
  await session.post('HeapProfiler.collectGarbage')
  session.disconnect()
}

export class MemoryPressure {
  readonly #inUse: MemoryInUse
  readonly #onChange: (isShort: boolean) => void
  readonly #collect: () => Promise<void>
  #timer: NodeJS.Timeout | undefined
  #collectedAtMs = Number.NEGATIVE_INFINITY
  #wasHigh = false
  #isShort = false

  constructor(
    inUse: MemoryInUse,
    onChange: (isShort: boolean) => void,
    collect: () => Promise<void> = collectGarbage,
  ) {
    this.#inUse = inUse
    this.#onChange = onChange
    this.#collect = collect
  }

  get isShort(): boolean {
    return this.#isShort
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_EVERY_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  look(): void {
    const part = this.#inUse()
    if (part > (this.#isShort ? LOW : HIGH)) this.#giveBack()
    const isHigh = part > HIGH
    const next = this.#isShort ? part >= LOW : isHigh && this.#wasHigh
    this.#wasHigh = isHigh
    if (next === this.#isShort) return
    this.#isShort = next
    this.#onChange(next)
  }

  /** Done by the next look. */
  #giveBack(): void {
    const nowMs = performance.now()
    if (nowMs - this.#collectedAtMs < COLLECT_EVERY_MS) return
    this.#collectedAtMs = nowMs
    void this.#collect()
  }
}
