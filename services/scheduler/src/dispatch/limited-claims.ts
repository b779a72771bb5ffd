/**
 * What claims of methods with limits keep from one to the next: whose turn it is, whether somebody waits for room, whether there can be any,
 * and when to look again where a rate has none, or somebody else was claiming. None of it is needed for the limits to be kept, nor is
 * it shared by replicas; the sweep of claims asks the database whatever is believed.
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
/** Remembered of one method: executors that serve other pools, one after another, do not fill the memory. */
const LINES_MAX = 1_000
/** Jobs that were started before their method had a key expression are looked for in every queue, so seldom. */
const GIVE_KEYS_MS = 10_000

interface Turn {
  /** The value of the key that had the last turn, by the queues that are claimed of: who serves others has others to pass over. */
  readonly keys: Map<string, string>
  keysGivenMs: number
  /** Claims under way. */
  claims: number
  /** A job has ended here meanwhile: others are told once it is known that jobs are left. */
  endedHere: boolean
  /** What is being found out may be older than a place that has become free. */
  isStale: boolean
  /** The last one left jobs in the queue; undefined where none has found out. */
  queued: boolean | undefined
  /** It found as many running as may, and none is known to have ended since. */
  isFull: boolean
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
    inExclusive: boolean,
  ): Promise<LimitedClaim> {
    const turn = this.#turnOf(namespace, method)
    const giveKeys = performance.now() - turn.keysGivenMs >= GIVE_KEYS_MS
    if (giveKeys) turn.keysGivenMs = performance.now()
    const line = lineOf(queues)
    const terms = { afterKey: turn.keys.get(line), giveKeys, inExclusive }
    const request = { namespace, method, queues, attachmentIds, ...terms }
    turn.claims += 1
    try {
      const claim = await this.#options.store.claimLimited(request)
      if (!claim.busy) turn.queued = claim.queued
      turn.isFull = claim.isFull && !turn.isStale
      if (claim.lastKey !== undefined) noteKey(turn, line, claim.lastKey)
      if (claim.queued && turn.endedHere) this.#options.backlog.announce([{ namespace, method }])
      turn.endedHere = false
      turn.isStale = false
      const againMs = claim.busy ? BUSY_MS * (1 + Math.random()) : claim.againMs
      if (againMs !== undefined) this.#lookAgain(namespace, method, againMs)
      return claim
    } finally {
      turn.claims -= 1
    }
  }

  /**
   * Whether jobs were left in the queue by the last claim: a start would find them ahead of it, and keep claims waiting until
   * it is recorded.
   */
  hasLeftQueued(namespace: string, method: string): boolean {
    return this.#turns.get(queueKey(namespace, method))?.queued === true
  }

  /** Whether a claim may find anything. */
  mayHaveRoom(namespace: string, method: string): boolean {
    return this.#turns.get(queueKey(namespace, method))?.isFull !== true
  }

  /** A place may have become free, here or on another replica. */
  placeFreed(namespace: string, method: string): void {
    const turn = this.#turns.get(queueKey(namespace, method))
    if (turn === undefined) return
    turn.isFull = false
    turn.isStale = turn.claims > 0
  }

  /**
   * A job of the method has ended: whether somebody may wait for its place, here or on another replica. What a claim under way
   * finds out is told when it has.
   */
  isAwaited(namespace: string, method: string): boolean {
    this.placeFreed(namespace, method)
    const turn = this.#turns.get(queueKey(namespace, method))
    if (turn !== undefined && turn.claims > 0) {
      turn.endedHere = true
      return false
    }
    const { backlog, serves } = this.#options
    const mayBeQueued = turn !== undefined && turn.queued !== false
    return mayBeQueued || backlog.hasAny(namespace, method) || !serves(namespace, method)
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
        keys: new Map(),
        keysGivenMs: Number.NEGATIVE_INFINITY,
        claims: 0,
        endedHere: false,
        isStale: false,
        queued: undefined,
        isFull: false,
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

function noteKey({ keys }: Turn, line: string, key: string): void {
  if (keys.size >= LINES_MAX) keys.clear()
  keys.set(line, key)
}

function lineOf(queues: readonly QueueRef[]): string {
  return queues.map(({ lane, pool }) => `${lane} ${pool}`).join()
}

type LimitedRequest = Parameters<ClaimStore['claimLimited']>[0]
/** The longest timer there is. */
const MAX_DELAY_MS = 2 ** 31 - 1
