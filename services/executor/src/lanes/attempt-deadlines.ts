/**
 * Finds out when attempts are past their deadlines (row J17). Most have none, and cost nothing here.
 *
 * Silence is counted only while this process is awake: what a handler said while the process stood still waits to be heard, and
 * comes before the clock goes on.
 */
import { WakingClock } from '@offstage/kit/lifecycle'
import type { AttemptKey, AttemptOrder } from '../domain/attempt.ts'
import type { PassedDeadline } from '../domain/deadline.ts'
import { startTimer } from './long-timer.ts'

/** How often silences are looked at. */
const LOOK_MS = 200

interface Silence {
  readonly limitMs: number
  sinceMs: number
  /** It waits for children, and need not speak. */
  waiting: boolean
}

export class AttemptDeadlines {
  readonly #onPassed: (key: AttemptKey, passed: PassedDeadline) => void
  readonly #timers = new Map<AttemptKey, NodeJS.Timeout>()
  readonly #silences = new Map<AttemptKey, Silence>()
  #clock = new WakingClock(LOOK_MS)
  #look: NodeJS.Timeout | undefined

  /** @param onPassed called for each deadline of an attempt at most once, until its end */
  constructor(onPassed: (key: AttemptKey, passed: PassedDeadline) => void) {
    this.#onPassed = onPassed
  }

  begin({ key, deadlineMs, totalMs, heartbeatMs }: AttemptOrder): void {
    if (heartbeatMs !== undefined) this.listen(key, heartbeatMs)
    const passed = soonerOf(deadlineMs, totalMs)
    if (passed === undefined) return
    this.#timers.set(
      key,
      startTimer(() => this.#onPassed(key, passed), passed.ms),
    )
  }

  /** Counts the silence of the handler from now on. */
  listen(key: AttemptKey, limitMs: number): void {
    if (this.#silences.size === 0) this.#startLooking()
    this.#silences.set(key, { limitMs, sinceMs: this.#clock.nextMs, waiting: false })
  }

  /** A word of the handler, whatever it says; whether its silence counts. */
  heard(key: AttemptKey): boolean {
    if (this.#silences.size === 0) return false
    const silence = this.#silences.get(key)
    if (silence !== undefined) silence.sinceMs = this.#clock.nextMs
    return silence !== undefined
  }

  waits(key: AttemptKey, waiting: boolean): void {
    const silence = this.#silences.get(key)
    if (silence !== undefined) silence.waiting = waiting
    this.heard(key)
  }

  end(key: AttemptKey): void {
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
    this.#silences.delete(key)
  }

  #startLooking(): void {
    this.#clock = new WakingClock(LOOK_MS)
    this.#look ??= setInterval(() => this.#lookAround(), LOOK_MS).unref()
  }

  #lookAround(): void {
    const nowMs = this.#clock.look()
    for (const [key, { limitMs, sinceMs, waiting }] of this.#silences) {
      if (waiting || nowMs - sinceMs <= limitMs) continue
      this.#silences.delete(key)
      this.#onPassed(key, { deadline: 'heartbeat', ms: limitMs })
    }
    if (this.#silences.size > 0) return
    clearInterval(this.#look)
    this.#look = undefined
  }
}

/** Of the deadlines that only time brings about; the total one where both are due, since nothing comes after it. */
function soonerOf(attemptMs: number | undefined, totalMs: number | undefined) {
  if (totalMs !== undefined && totalMs <= (attemptMs ?? Number.POSITIVE_INFINITY)) {
    return { deadline: 'total', ms: totalMs } as const
  }
  return attemptMs === undefined ? undefined : ({ deadline: 'attempt', ms: attemptMs } as const)
}
