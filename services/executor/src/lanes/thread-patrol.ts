/**
 * Looks after threads while attempts are on them: that they take up what they are given, and hold no more memory than they may.
 *
 * A thread may compute for as long as it likes. What waits for it to be begun moves on, and it is ended only if nothing that has begun is left
 * on it.
 */
import type { AttemptKey } from '../domain/attempt.ts'
import type { HandlerThread } from './handler-thread.ts'
import type { Lane } from './lane.ts'
import { MemoryWatch } from './memory-watch.ts'
import type { RunningAttempt } from './running-attempt.ts'
import type { ThreadJournal } from './thread-journal.ts'

export interface ThreadPatrolOptions {
  readonly lanes: ReadonlyMap<string, Lane>
  /** Those that have not ended. */
  readonly attempts: ReadonlyMap<AttemptKey, RunningAttempt>
  /** Gives an attempt that has not begun to another thread. */
  move(running: RunningAttempt): boolean
  readonly journal: ThreadJournal
}

/** A thread that has not taken up its orders for twice this long is passed by, unless it is not the first that is to begin an attempt. */
const LOOK_MS = 1_000

export class ThreadPatrol {
  readonly #options: ThreadPatrolOptions
  readonly #memory = new MemoryWatch()
  #timer: NodeJS.Timeout | undefined

  constructor(options: ThreadPatrolOptions) {
    this.#options = options
  }

  /** There is an attempt. */
  begin(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  #look(): void {
    const { lanes, attempts } = this.#options
    // Not with the last attempt: another one often comes at once.
    if (attempts.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    for (const lane of lanes.values()) {
      for (const thread of [...lane.threads]) this.#lookAt(lane, thread)
    }
  }

  #lookAt(lane: Lane, thread: HandlerThread): void {
    if (thread.load > 0) this.#memory.look(thread)
    const lags = thread.lags()
    let isAnyBegun = false
    let moves = 0
    const waiting: RunningAttempt[] = []
    for (const key of thread.attempts) {
      const running = this.#options.attempts.get(key)
      if (running === undefined) continue
      if (!thread.hasBegun(key)) {
        waiting.push(running)
        moves = Math.max(moves, running.moves)
      } else {
        isAnyBegun = true
        // What has begun is not moved: the parameters need not be kept.
        running.order = undefined
      }
    }
    if (waiting.length === 0) return
    // Twice the time for each thread after the first: where the machine is overloaded all of them lag.
    const isPassedBy = lags >= 2 ** moves
    if (isPassedBy) this.#passBy(lane, thread, waiting, isAnyBegun)
    else if (lags === 0 && thread.usable) thread.probe()
  }

  /** The thread does not take up what it is given. */
  #passBy(
    lane: Lane,
    thread: HandlerThread,
    waiting: readonly RunningAttempt[],
    isAnyBegun: boolean,
  ): void {
    const { journal, move } = this.#options
    if (isAnyBegun && !lane.setAside(thread)) return
    journal.passedBy(thread, { waiting: waiting.length, isBusy: isAnyBegun })
    // Nobody's work is lost with it; what waits for it moves when it has ended.
    if (!isAnyBegun) void thread.terminate()
    else for (const running of waiting) move(running)
  }
}
