/**
 * Whether the heap of this thread grows with the runs of a name. It is measured while nothing runs, after a garbage collection: over
 * windows of several runs, all of the same name, since of others nobody can tell whose growth it is.
 */
import { setImmediate } from 'node:timers'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const RUNS_MIN = 8
/** Collections take no more than one part in so many of the time. */
const REST = 10
const REST_MS_MIN = 50
/** Growth in so many windows, one after the other, is told. */
const WINDOWS = 3
/** What compiled code and caches of the language take is less. */
const WINDOW_BYTES_MIN = 128 * 1024

interface Window {
  readonly name: string
  /** Undefined: not measured when it began. */
  readonly startBytes: number | undefined
  runs: number
}

export class HeapGrowth {
  readonly #tracks: (name: string) => boolean
  readonly #grows: (name: string, bytesPerRun: number | undefined) => void
  readonly #growths = new Map<string, number[]>()
  readonly #heapBytes: () => number
  #running = 0
  #window: Window | undefined
  #isMixed = false
  #isDue = false
  #restUntilMs = 0

  /**
   * @param grows undefined: by less than can be told
   * @param heapBytes what is in use after a collection; another in tests
   */
  constructor(
    tracks: (name: string) => boolean,
    grows: (name: string, bytesPerRun: number | undefined) => void,
    heapBytes = collectedHeapBytes,
  ) {
    this.#tracks = tracks
    this.#grows = grows
    this.#heapBytes = heapBytes
  }

  began(name: string): void {
    this.#running += 1
    if (this.#window?.name !== name) {
      this.#isMixed ||= this.#running > 1
      this.#window = { name, startBytes: undefined, runs: 0 }
    }
  }

  ended(): void {
    this.#running -= 1
    if (this.#window !== undefined) this.#window.runs += 1
    if (this.#running > 0 || this.#isDue) return
    this.#isDue = true
    // What the run has returned is let go of first.
    setImmediate(() =>
      setImmediate(() => {
        this.#isDue = false
        this.#look()
      }),
    )
  }

  #look(): void {
    const window = this.#window
    if (this.#running > 0 || window === undefined) return
    if (this.#isMixed) {
      this.#isMixed = false
      this.#window = undefined
      return
    }
    const isLong = window.runs >= RUNS_MIN && performance.now() >= this.#restUntilMs
    if (!isLong || !this.#tracks(window.name)) return
    const bytes = this.#measure()
    this.#window = { name: window.name, startBytes: bytes, runs: 0 }
    if (window.startBytes === undefined) return
    this.#note(window.name, bytes - window.startBytes, window.runs)
  }

  #note(name: string, growth: number, runs: number): void {
    const growths = this.#growths.get(name) ?? []
    // One that does not count ends the row.
    if (growth < WINDOW_BYTES_MIN) growths.length = 0
    else growths.push(growth / runs)
    this.#growths.set(name, growths.slice(-WINDOWS))
    const isRow = growths.length >= WINDOWS
    this.#grows(name, isRow ? Math.round(medianOf(growths.slice(-WINDOWS))) : undefined)
  }

  #measure(): number {
    const beganMs = performance.now()
    const bytes = this.#heapBytes()
    const tookMs = performance.now() - beganMs
    this.#restUntilMs = performance.now() + Math.max(REST_MS_MIN, tookMs * REST)
    return bytes
  }
}

let collect: (() => void) | undefined

function collectedHeapBytes(): number {
  collect ??= collector()
  collect()
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

/** That of V8, which Node shows only where it is started with --expose-gc. */
function collector(): () => void {
  if (typeof globalThis.gc === 'function') return globalThis.gc as () => void
  setFlagsFromString('--expose-gc')
  try {
    return runInNewContext('gc')
  } finally {
    setFlagsFromString('--no-expose-gc')
  }
}
