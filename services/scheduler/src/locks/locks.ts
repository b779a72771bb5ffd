/** Data locks as callers ask for them (row E3): bound to an attempt or a lease of their own. */
import { mayForOthers } from '@offstage/kit/auth'
import { Turns } from '@offstage/kit/fairness'
import { CallAborted, Refusal } from '@offstage/kit/grpc'
import type { Lock, LockConflict, LockHolder, LockRequest } from '../domain/lock.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { Caller } from '../jobs/caller.ts'
import { leaseNotFound } from '../jobs/check-lease.ts'
import type { ListedLock, LockAttempt, LockPage, LockStore } from '../ports/locks.ts'
import { jobNotFound, overloaded } from '../refusals.ts'
import { isDataError } from '../statements/persist.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import type { LockLine } from './lock-line.ts'
import { jobNotRunning, lockDeadlock, lockTaken } from './refusals.ts'

export interface AskedLocks extends Pick<LockRequest, 'names' | 'exclusive' | 'requestId'> {
  /** `attempt` 0: the present one. */
  readonly holder: LockHolder
  readonly timeoutMs: number
  /** Its place in line is kept for another call after the timeout. */
  readonly keepsPlace: boolean
}

export interface AskedRelease {
  readonly names: readonly string[]
  readonly fencingToken: number | undefined
  /** Those of other users, too. */
  readonly anyOwner: boolean
}

export interface Locks {
  acquire(
    caller: Caller,
    namespace: string,
    asked: AskedLocks,
    signal: AbortSignal,
  ): Promise<readonly Lock[]>
  /** How many were held. */
  release(caller: Caller, namespace: string, asked: AskedRelease): Promise<number>
  list(caller: Caller, namespace: string, page: LockPage): Promise<ListedLock[]>
}

/** Of the connections that all calls share, those that take locks have no more at once, their callers in turn. */
const TRIES_AT_ONCE = 4
const TRIES_WAITING_MAX = 10_000

export interface LocksOptions {
  readonly store: LockStore
  readonly line: LockLine
  readonly events: Pick<JobEvents, 'locksChanged'>
}

export function createLocks({ store, line, events }: LocksOptions): Locks {
  const turns = new Turns({
    atOnce: TRIES_AT_ONCE,
    waitingMax: TRIES_WAITING_MAX,
    refuse: () => overloaded('calls that take locks'),
  })
  const options = { store, line, events, turns }
  return {
    async acquire(caller, namespace, asked, signal) {
      const holder = await checkedHolder(store, caller, namespace, asked.holder)
      const { names, exclusive, requestId, timeoutMs, keepsPlace } = asked
      const request = { namespace, names, exclusive, owner: caller.user, holder, requestId }
      const wait = new LockWait(options, caller, request, { timeoutMs, keepsPlace })
      return await wait.acquire(signal)
    },
    async release(caller, namespace, { names, fencingToken, anyOwner }) {
      const { attempt, user } = caller
      // With its token an attempt speaks of what it holds itself.
      const own = fencingToken === undefined && !anyOwner ? attempt : undefined
      const which = { namespace, names, fencingToken, attempt: own }
      const released = await store.release({ ...which, owner: anyOwner ? undefined : user }, caller)
      if (released > 0) {
        events.locksChanged(namespace)
        line.changed()
      }
      return released
    },
    list(caller, namespace, page) {
      const owner = mayForOthers(caller, 'jobs.read') ? undefined : caller.user
      return store.list(namespace, owner, page)
    },
  }
}

/** What it is bound to has to be the caller's own: to others it is not there (guarantee 8). */
async function checkedHolder(
  store: LockStore,
  { user, attempt }: Caller,
  namespace: string,
  holder: LockHolder,
): Promise<LockHolder> {
  if (holder.kind === 'lease') {
    const owner = await store.findLeaseOwner(namespace, holder.leaseId)
    if (owner !== user) throw leaseNotFound(holder.leaseId)
    return holder
  }
  const { jobId } = holder
  const found = await store.findAttempt(namespace, jobId)
  if (found?.owner !== user) throw jobNotFound(jobId)
  const own = attempt?.jobId === jobId ? attempt.attempt : 0
  const wanted = holder.attempt || own || found.attempt
  if (wanted === undefined || wanted !== found.attempt) {
    throw jobNotRunning(jobId, holder.attempt || own || undefined)
  }
  return { ...holder, attempt: wanted }
}

/** One call that takes locks, as long as it may wait. */
class LockWait {
  readonly #options: LocksOptions & { readonly turns: Turns }
  readonly #caller: Caller
  readonly #request: LockRequest
  readonly #terms: Pick<AskedLocks, 'timeoutMs' | 'keepsPlace'>
  /** In line, once it stands there. */
  #place: number | undefined

  constructor(
    options: LocksOptions & { readonly turns: Turns },
    caller: Caller,
    request: LockRequest,
    terms: Pick<AskedLocks, 'timeoutMs' | 'keepsPlace'>,
  ) {
    this.#options = options
    this.#caller = caller
    this.#request = request
    this.#terms = terms
  }

  async acquire(signal: AbortSignal): Promise<readonly Lock[]> {
    const { store, line } = this.#options
    const { timeoutMs, keepsPlace } = this.#terms
    using _room = timeoutMs > 0 ? line.makeRoom(this.#caller.user) : undefined
    let keeps = false
    try {
      const locks = await this.#untilAcquired(performance.now() + timeoutMs, signal, () => {
        keeps = keepsPlace
      })
      this.#place = undefined
      if (!signal.aborted) return locks
      // Nobody is there any more to be told of it.
      await store.giveBack(this.#request.namespace, this.#request.names, tokenOf(locks))
      this.#changed()
      throw signal.reason
    } catch (error) {
      keeps ||= this.#isAskedAgain(error, signal)
      throw error
    } finally {
      if (this.#place !== undefined && !keeps) {
        // Where that cannot be said, it has no turn any more in a few seconds.
        await store.withdraw([this.#place]).catch(() => {})
        this.#changed()
      }
    }
  }

  /** The last try is made when the time is up: what is in the way then is told. */
  async #untilAcquired(
    endMs: number,
    signal: AbortSignal,
    timeIsUp: () => void,
  ): Promise<readonly Lock[]> {
    const { line } = this.#options
    for (;;) {
      const { moment } = line
      const leftMs = endMs - performance.now()
      const outcome = await this.#try(leftMs > 0)
      if (outcome.kind === 'acquired') return outcome.locks
      const conflict = this.#conflictOf(outcome)
      if (leftMs <= 0 || this.#place === undefined) {
        timeIsUp()
        throw lockTaken(this.#caller, conflict)
      }
      const wait = { request: this.#request, place: this.#place, conflict, moment }
      const end = await line.wait(wait, leftMs, signal)
      if (end.kind === 'circle') throw lockDeadlock(this.#caller, end.circle)
    }
  }

  async #try(waits: boolean): Promise<LockAttempt> {
    const place = this.#place
    const { store, turns } = this.#options
    const outcome = await turns.take(this.#caller.user, undefined, () =>
      retryConflicts(() => store.acquire(this.#request, { place, waits })),
    )
    if (outcome.kind === 'taken') this.#place = outcome.place
    else this.#place = undefined
    return outcome
  }

  #conflictOf(outcome: Exclude<LockAttempt, { kind: 'acquired' }>): LockConflict {
    if (outcome.kind === 'taken') return outcome.conflict
    if (outcome.kind === 'deadlock') throw lockDeadlock(this.#caller, outcome.circle)
    const { holder } = this.#request
    throw holder.kind === 'job'
      ? jobNotRunning(holder.jobId, holder.attempt)
      : leaseNotFound(holder.leaseId)
  }

  /** Whoever asks again after trouble with the database, or another replica because this one stops, has the same place there. */
  #isAskedAgain(error: unknown, { aborted, reason }: AbortSignal): boolean {
    if (this.#request.requestId === '') return false
    if (aborted) return reason instanceof CallAborted && reason.kind === 'server-stop'
    return !(error instanceof Refusal) && !isDataError(error)
  }

  #changed(): void {
    this.#options.events.locksChanged(this.#request.namespace)
    this.#options.line.changed()
  }
}

function tokenOf(locks: readonly Lock[]): number {
  return locks[0]?.fencingToken ?? 0
}
