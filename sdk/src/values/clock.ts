/**
 * Where reusable values take their time from. Only ages and durations matter, so any origin will
 * do; it must never run backwards.
 */
export interface ValuesClock {
  /** Monotonic milliseconds, fractions allowed. */
  now(): number
  /** Calls `run` every `intervalMs` until disposed. Must not keep the process alive. */
  repeat(intervalMs: number, run: () => void): Disposable
}

/** The process's monotonic clock; its interval is unreferenced. */
export const systemValuesClock: ValuesClock = {
  now: () => performance.now(),
  repeat(intervalMs, run) {
    const timer = setInterval(run, intervalMs)
    if (typeof timer.unref === 'function') timer.unref() // a number in a browser
    return { [Symbol.dispose]: () => clearInterval(timer) }
  },
}

/** A clock that moves only when told, for tests. */
export interface ManualValuesClock extends ValuesClock {
  /** Moves time on by `ms`, firing every interval that falls due on the way, in order of time. */
  advance(ms: number): void
  /** Intervals still running; zero once every store is empty or closed. */
  readonly intervals: number
}

/** Starts at 0 ms. */
export function createManualValuesClock(): ManualValuesClock {
  const intervals = new Set<{ dueMs: number; everyMs: number; run: () => void }>()
  let nowMs = 0
  return {
    now: () => nowMs,
    repeat(everyMs, run) {
      const interval = { dueMs: nowMs + everyMs, everyMs, run }
      intervals.add(interval)
      return { [Symbol.dispose]: () => void intervals.delete(interval) }
    },
    advance(ms) {
      const untilMs = nowMs + ms
      for (;;) {
        const due = [...intervals].sort((a, b) => a.dueMs - b.dueMs)[0]
        if (due === undefined || due.dueMs > untilMs) break
        nowMs = due.dueMs
        due.dueMs += due.everyMs
        due.run()
      }
      nowMs = untilMs
    },
    get intervals() {
      return intervals.size
    },
  }
}
