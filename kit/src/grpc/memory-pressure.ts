/**
 * Says when memory is about to end, before it does: a process that is over its heap or its container's limit is ended without a word,
 * and with it all calls.
 *
 * 1. It is short when two looks in a row find more than {@link HIGH} of a limit in use, and until one finds less than {@link LOW}.
 */
import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'

const LOOK_EVERY_MS = 250
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

export class MemoryPressure {
  readonly #inUse: MemoryInUse
  readonly #onChange: (isShort: boolean) => void
  #timer: NodeJS.Timeout | undefined
  #wasHigh = false
  #isShort = false

  constructor(inUse: MemoryInUse, onChange: (isShort: boolean) => void) {
    this.#inUse = inUse
    this.#onChange = onChange
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
    const isHigh = part > HIGH
    const next = this.#isShort ? part >= LOW : isHigh && this.#wasHigh
    this.#wasHigh = isHigh
    if (next === this.#isShort) return
    this.#isShort = next
    this.#onChange(next)
  }
}
