/**
 * What claims of methods with limits keep from one to the next: whose turn it is, whether somebody waits for room, and when to look again
 * where a rate has none, or somebody else was claiming. None of it is needed for the limits to be kept, nor is it shared by
 * replicas.
 */
import type { LimitedClaim, QueueRef } from '../domain/held-job.ts'
import { queueKey } from '../domain/queue-key.ts'
import type { ClaimStore } from '../ports/attempts.ts'
import type { Backlog } from './backlog.ts'

export interface LimitedClaimsOptions {
  readonly store: Pick<ClaimStore, 'claimLimited'>
  readonly backlog: Pick<Backlog, 'add' | 'announce' | 'hasAny'>
  serves(namespace: string, method: string): boolean
}

/** Longer than a claim takes. */
const BUSY_MS = 5
/** No wake-up for less: until then a rate may have room for several. */
const AGAIN_MS_MIN = 5
/** Jobs that were started before their method had a key expression are looked for in every queue, so seldom. */
const GIVE_KEYS_MS = 10_000

interface Turn {
  key: string
  keysGivenMs: number
  /** Claims under way. */
  claims: number
  /** A job has ended meanwhile. */
  placeFreed: boolean
  /** The last one left jobs in the queue, or there was none. */
  queued: boolean
}

export class LimitedClaims {
  readonly #options: LimitedClaimsOptions
  readonly #turns = new Map<string, Turn>()
  readonly #timers = new Map<string, NodeJS.Timeout>()

  constructor(options: LimitedClaimsOptions) {
    this.#options = options
  }

  async claim(
    namespace: string,
    method: string,
    queues: readonly QueueRef[],
    attachmentIds: LimitedRequest['attachmentIds'],
  ): Promise<LimitedClaim> {
    const turn = this.#turnOf(namespace, method)
    const giveKeys = performance.now() - turn.keysGivenMs >= GIVE_KEYS_MS
    if (giveKeys) turn.keysGivenMs = performance.now()
    const request = { namespace, method, queues, attachmentIds, afterKey: turn.key, giveKeys }
    turn.claims += 1
    try {
      const claim = await this.#options.store.claimLimited(request)
      turn.queued = claim.queued
      if (claim.lastKey !== undefined) turn.key = claim.lastKey
      if (claim.queued && turn.placeFreed) this.#options.backlog.announce([{ namespace, method }])
      turn.placeFreed = false
      const againMs = claim.busy ? BUSY_MS * (1 + Math.random()) : claim.againMs
      if (againMs !== undefined) this.#lookAgain(namespace, method, againMs)
      return claim
    } finally {
      turn.claims -= 1
    }
  }

  /**
   * A job of the method has ended: whether somebody may wait for its place, here or on another replica. What a claim under way
   * finds out is told when it has.
   */
  isAwaited(namespace: string, method: string): boolean {
    const turn = this.#turns.get(queueKey(namespace, method))
    if (turn !== undefined && turn.claims > 0) {
      turn.placeFreed = true
      return false
    }
    const { backlog, serves } = this.#options
    return turn?.queued || backlog.hasAny(namespace, method) || !serves(namespace, method)
  }

  /** Limits have changed: what was started before may have no key of theirs. */
  changed(namespace: string, method: string): void {
    this.#turns.delete(queueKey(namespace, method))
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #turnOf(namespace: string, method: string): Turn {
    const key = queueKey(namespace, method)
    let turn = this.#turns.get(key)
    if (turn === undefined) {
      turn = {
        key: '',
        keysGivenMs: Number.NEGATIVE_INFINITY,
        claims: 0,
        placeFreed: false,
        queued: true,
      }
      this.#turns.set(key, turn)
    }
    return turn
  }

  #lookAgain(namespace: string, method: string, afterMs: number): void {
    const key = queueKey(namespace, method)
    if (this.#timers.has(key)) return
    const look = () => {
      this.#timers.delete(key)
      this.#options.backlog.add({ namespace, method })
    }
    const delayMs = Math.max(AGAIN_MS_MIN, Math.min(Math.ceil(afterMs), MAX_DELAY_MS))
    this.#timers.set(key, setTimeout(look, delayMs).unref())
  }
}

type LimitedRequest = Parameters<ClaimStore['claimLimited']>[0]
/** The longest timer there is. */
const MAX_DELAY_MS = 2 ** 31 - 1
