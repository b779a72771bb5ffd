/**
 * A loop runs something again and again: when its time comes, and at once when woken. Wake-ups are
 * hints that may get lost, so the rhythm behind them is what the work relies on (guarantee 4).
 *
 * Invariants:
 *  1. One run at a time. A run that ignores its aborted signal for as long again as its timeout is
 *     abandoned, so that it cannot hold up the loop for ever.
 *  2. A wake is never lost: before the start it counts at the start, during a run it means one more.
 *  3. The wait between runs never exceeds `everyMs`; jitter only shortens it.
 *  4. The loop's timers never keep the process alive, but for those that end a stop.
 */
import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createService, type Service } from './service.ts'

export interface LoopOptions {
  /** Names the loop in errors. */
  readonly name: string
  /** The longest wait between two runs; the first run comes one wait after the start, or at a wake. */
  readonly everyMs: number
  /** By which part of `everyMs` a wait may be shortened at random, 0..1. Default 0.1. */
  readonly jitter?: number
  /** The signal of a run aborts after this time; the overrun is reported, the loop goes on. */
  readonly timeoutMs: number
  run(signal: AbortSignal): Promise<void>
  /** Told of each run that failed or took too long. Must not throw. */
  onError(error: unknown): void
}

export interface Loop extends Service {
  /** Asks for a run at once; several before it begins are one. */
  wake(): void
}

/** A run took longer than the loop's `timeoutMs`. */
export class LoopTimeoutError extends Error {
  override readonly name = 'LoopTimeoutError'
  constructor(loop: string, timeoutMs: number) {
    super(`a run of ${loop} took longer than ${timeoutMs} ms`)
  }
}

/** Makes a loop; it runs nothing before its start and nothing after its stop. */
export function createLoop(options: LoopOptions): Loop {
  const { everyMs, jitter = 0.1 } = options
  assert(everyMs > 0 && options.timeoutMs > 0, `${options.name}: times must be positive`)
  assert(jitter >= 0 && jitter <= 1, `${options.name}: jitter must be within 0..1`)
  const stopping = new AbortController()
  let woken = false
  let wakeUp = () => {}
  let driving: Promise<void> | undefined

  const due = async () => {
    if (!woken) {
      const waitMs = everyMs * (1 - jitter * Math.random())
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, waitMs).unref()
      wakeUp = resolve
      await promise
      clearTimeout(timer)
    }
    // A run that wakes its own loop must not keep everybody else from the event loop.
    await nextTurn()
  }

  const drive = async () => {
    while (!stopping.signal.aborted) {
      await due()
      if (stopping.signal.aborted) return
      woken = false
      await runOnce(options, stopping.signal)
    }
  }

  const service = createService({
    name: options.name,
    start: async () => {
      driving = drive()
    },
    stop: async () => {
      stopping.abort(new Error(`${options.name} is stopping`))
      wakeUp()
      await driving
    },
  })
  return {
    ...service,
    wake: () => {
      woken = true
      wakeUp()
    },
  }
}

/** Resolves when the run has settled or is abandoned. */
async function runOnce(options: LoopOptions, stopping: AbortSignal): Promise<void> {
  const { name, timeoutMs } = options
  const abort = new AbortController()
  const abandoned = Promise.withResolvers<void>()
  let timer: NodeJS.Timeout
  const end = (reason: unknown) => {
    if (abort.signal.aborted) return
    clearTimeout(timer)
    abort.abort(reason)
    timer = setTimeout(abandoned.resolve, timeoutMs)
    if (!stopping.aborted) timer.unref()
  }
  const timeOut = () => {
    const error = new LoopTimeoutError(name, timeoutMs)
    options.onError(error)
    end(error)
  }
  const stop = () => {
    timer.ref()
    end(stopping.reason)
  }
  timer = setTimeout(timeOut, timeoutMs).unref()
  stopping.addEventListener('abort', stop, { once: true })
  const run = invoke(options, abort.signal).catch((error) => {
    // What follows from an abort has been told already, or was asked for.
    if (!abort.signal.aborted) options.onError(error)
  })
  await Promise.race([run, abandoned.promise])
  stopping.removeEventListener('abort', stop)
  clearTimeout(timer)
}

async function invoke(options: LoopOptions, signal: AbortSignal): Promise<void> {
  await options.run(signal)
}
