/** Data locks (row E3): by name, bound to an attempt of a job or to a lease. */
import { durationFrom } from '@offstage/proto/durations'
import { LockMode, type Lock as WireLock } from '@offstage/proto/jobs'
import { checkOptions } from '../arguments/check-options.ts'
import { flag } from '../arguments/rules.ts'
import { OffstageError } from '../grpc/mod.ts'
import type { Calls } from './calls.ts'
import { wholeWithin } from './limit-rules.ts'
import {
  holderOf,
  LOCK_RULES,
  type LockHolder,
  type LockOptions,
  namesFrom,
} from './lock-options.ts'
import { leaseOfRun } from './run-lease.ts'

/** Locks that are held. They end with what they are bound to, at the latest. */
export interface HeldLock extends AsyncDisposable {
  /** By name. */
  readonly names: readonly string[]
  readonly mode: 'exclusive' | 'shared'
  /**
   * Only grows: of two locks of a name that exclude each other, the later one has the higher number. Send it along with what the lock
   * protects, and refuse there what comes with a lower one than was seen.
   */
  readonly fencingToken: number
  /** Aborted when the lease of the run that it is bound to is lost; not set where it is bound to an attempt or a lease of yours, which tell it themselves. */
  readonly signal?: AbortSignal
  /** Gives them back. Idempotent, and no error where they are not held any more. */
  release(): Promise<void>
}

/** A lock that somebody holds. */
export interface LockInfo {
  readonly name: string
  readonly mode: 'exclusive' | 'shared'
  /** The user who holds it. */
  readonly owner: string
  /** The job it is bound to, and its attempt; not set where it is another thing, or one that the caller may not see. */
  readonly job?: { readonly id: string; readonly attempt: number }
  /** The lease it is bound to, of one's own. */
  readonly leaseId?: string
  readonly fencingToken: number
  readonly acquireTime?: Date
  /** How many wait for it. */
  readonly waitingCount: number
}

export interface FreeLockOptions {
  /** Only the one with this token. */
  readonly fencingToken?: number
  /** Those of other users, too; recorded. */
  readonly anyOwner?: boolean
}

/** One call holds no longer; the next one stands at the same place. */
const HOLD_MS_MAX = 30_000
/** Beyond the hold, for the answer. */
const ANSWER_MS = 10_000

export async function takeLocks(
  calls: Calls,
  name: string | readonly string[],
  given: LockHolder | undefined,
  options: LockOptions,
): Promise<HeldLock> {
  const [first = '', ...names] = namesFrom(name)
  const { mode = 'exclusive', timeoutMs = 0, signal } = checkOptions('lock', options, LOCK_RULES)
  const { clock, connection, identity } = calls
  const { namespaces } = connection
  const acquire = namespaces.acquireLock.bind(namespaces)
  const { namespace } = identity
  const ofRun = given === undefined ? await leaseOfRun(calls) : undefined
  const holder = given ?? { lease: ofRun?.id ?? '' }
  const requestId = calls.nextRequestId()
  const asked = { namespace, name: first, names, requestId, ...holderOf(holder) }
  const endMs = clock.now() + timeoutMs
  for (;;) {
    const leftMs = Math.max(0, endMs - clock.now())
    const holdMs = Math.min(leftMs, HOLD_MS_MAX)
    const keepPlace = leftMs > holdMs
    const request = { ...asked, mode: wireModeOf(mode), timeout: durationFrom(holdMs), keepPlace }
    try {
      const terms = { signal, deadlineMs: holdMs + ANSWER_MS }
      const { locks } = await calls.callScheduler(acquire, request, terms)
      return heldLock(calls, locks, ofRun?.signal)
    } catch (error) {
      const isTaken = error instanceof OffstageError && error.reason === 'LOCK_TAKEN'
      if (!isTaken || !keepPlace) throw error
    }
  }
}

function heldLock(
  calls: Calls,
  locks: readonly WireLock[],
  signal: AbortSignal | undefined,
): HeldLock {
  const names = locks.map(({ name }) => name)
  const fencingToken = Number(locks[0]?.fencingToken ?? 0)
  let released: Promise<void> | undefined
  const release = () => {
    released ??= giveBack(calls, names, { fencingToken }).then(() => {})
    return released
  }
  const mode = modeOf(locks[0]?.mode)
  const lost = signal && { signal }
  return { names, mode, fencingToken, ...lost, release, [Symbol.asyncDispose]: release }
}

async function giveBack(
  calls: Calls,
  [name = '', ...names]: readonly string[],
  { fencingToken = 0, anyOwner = false }: FreeLockOptions,
): Promise<number> {
  const { connection, identity } = calls
  const { namespaces } = connection
  const { namespace } = identity
  const request = { namespace, name, names, fencingToken: BigInt(fencingToken), anyOwner }
  try {
    const call = namespaces.releaseLock.bind(namespaces)
    return (await calls.callScheduler(call, request)).releasedCount
  } catch (error) {
    // With the attempt its locks have ended.
    if (error instanceof OffstageError && error.reason === 'ATTEMPT_TOKEN_ENDED') return 0
    throw error
  }
}

/** Part of a client: `offstage.locks`. */
export class LockCalls {
  readonly #calls: Calls

  constructor(calls: Calls) {
    this.#calls = calls
  }

  /** Those held, by name, page after page as they are iterated; of operators and readers those of others, too. */
  async *list(): AsyncGenerator<LockInfo, void, undefined> {
    const { connection, identity } = this.#calls
    const { namespaces } = connection
    const call = namespaces.listLocks.bind(namespaces)
    for (let pageToken = ''; ; ) {
      const request = { namespace: identity.namespace, pageSize: 0, pageToken }
      const page = await this.#calls.callScheduler(call, request)
      yield* page.locks.map(lockInfoFrom)
      pageToken = page.nextPageToken
      if (pageToken === '') return
    }
  }

  /**
   * Frees locks by name, whatever they are bound to; how many were held. Administrators free those of others with `anyOwner`. Whoever
   * held one is not told: only the fencing token keeps them from going on with what it protects.
   */
  async free(name: string | readonly string[], options: FreeLockOptions = {}): Promise<number> {
    const names = namesFrom(name)
    const rules = { fencingToken: wholeWithin(1, Number.MAX_SAFE_INTEGER), anyOwner: flag }
    return await giveBack(this.#calls, names, checkOptions('locks.free', options, rules))
  }
}

function lockInfoFrom(lock: WireLock): LockInfo {
  const { name, owner, jobId, attempt, leaseId, fencingToken, acquireTime, waitingCount } = lock
  return {
    ...{ name, owner, mode: modeOf(lock.mode) },
    ...(jobId !== '' && { job: { id: jobId, attempt } }),
    ...(leaseId !== '' && { leaseId }),
    fencingToken: Number(fencingToken),
    ...(acquireTime && { acquireTime }),
    waitingCount,
  }
}

function modeOf(mode: LockMode | undefined): 'exclusive' | 'shared' {
  return mode === LockMode.LOCK_MODE_SHARED ? 'shared' : 'exclusive'
}

function wireModeOf(mode: 'exclusive' | 'shared'): LockMode {
  return mode === 'shared' ? LockMode.LOCK_MODE_SHARED : LockMode.LOCK_MODE_EXCLUSIVE
}
