import type { OffstageError } from '../grpc/mod.ts'
import type { IdleHandlers } from '../idle/mod.ts'
import type { RefreshTarget } from '../values/reusable.ts'
import type { ValuesStore } from '../values/store.ts'
import { type Act, type ListActsOptions, listActs, listValueActs } from './acts.ts'
import { type ConnectOptions, sessionFrom } from './connect-options.ts'
import { checkReachable } from './connection.ts'
import {
  type ExclusiveMode,
  type ExclusiveOptions,
  endExclusiveMode,
  enterExclusiveMode,
} from './exclusive-mode.ts'
import {
  blockWhileExclusive,
  type ExclusiveHolder,
  type ExclusiveWatchOptions,
  readExclusiveHolder,
  watchExclusiveHolder,
} from './exclusive-watch.ts'
import { type ExecutorInfo, type ExecutorsOptions, listExecutors } from './executors.ts'
import { ExistingJobCalls } from './existing-job-calls.ts'
import { attemptEnded, identityOfJob, type JobIdentity } from './identity.ts'
import { LeakCalls } from './leak-calls.ts'
import { createLease, type Lease, type LeaseOptions } from './lease.ts'
import { givenHolder, type LockHolder, type LockOptions } from './lock-options.ts'
import { type HeldLock, LockCalls, takeLocks } from './locks.ts'
import {
  type ListMethodsOptions,
  type MethodInfo,
  NamespaceCalls,
  type PauseOptions,
} from './namespace-calls.ts'
import { NamespaceSettingsCalls } from './namespace-settings.ts'
import type { StartOptions } from './options.ts'
import { PlaceChecks } from './place-checks.ts'
import { ScheduleCalls } from './schedules.ts'
import { Session } from './session.ts'
import type { StorageCalls } from './storage-calls.ts'
import { warnOfUnreadToken } from './token-warning.ts'
import type { ValueRefreshes } from './value-refreshes.ts'
import { connectValues, refreshValues, type ValuesConnection } from './values-connection.ts'

/**
 * The client. One per process is enough: all calls share a connection to each service, and all waits
 * one stream. Starting and waiting are described in {@link SessionCalls}, what is done to jobs that are there in {@link ExistingJobCalls}.
 * ```ts
 * await using offstage = await Offstage.connect()
 * const job = await offstage.startJob(delayReport, { dataSet: 'flights-3m' })
 * const done = await job.waitForCompletion({ onProgress: ({ percent }) => bar.update(percent) })
 * ```
 */
export class Offstage extends ExistingJobCalls implements AsyncDisposable {
  readonly #session: Session
  readonly #namespace: NamespaceCalls
  readonly #ownsConnection: boolean

  /** Temp storage (rows S1 to S4). */
  readonly storage: StorageCalls
  /** What administrators set for the client's namespace. */
  readonly settings: NamespaceSettingsCalls
  /** Data locks that are held (row E3). */
  readonly locks: LockCalls
  /** What runs leave behind: what is tracked, and what was found (row E4). */
  readonly leaks: LeakCalls
  /** Schedules, which create a job at each due time (rows K1 to K3). */
  readonly schedules: ScheduleCalls

  /** Use {@link connect}. */
  private constructor(session: Session, ownsConnection: boolean) {
    super(session)
    this.#session = session
    this.#namespace = new NamespaceCalls(session)
    this.#ownsConnection = ownsConnection
    if (ownsConnection) session.foreground?.runFor(this)
    this.storage = session.storage
    this.settings = new NamespaceSettingsCalls(session)
    this.locks = new LockCalls(session)
    this.leaks = new LeakCalls(session)
    this.schedules = new ScheduleCalls(session)
  }

  /**
   * Connects to the scheduler, and makes sure it can be reached.
   * @throws OffstageError SERVICE_UNREACHABLE or DEADLINE_EXCEEDED, naming the address and OFFSTAGE_SCHEDULER; WRONG_SERVICE
   *   where another service of Offstage answers there; TOKEN_UNAVAILABLE where the token function or the token file gives none.
   */
  static async connect(options: ConnectOptions = {}): Promise<Offstage> {
    const client = Offstage.dial(options)
    try {
      await client.reach()
      // A token that cannot be had is told here and not by the first call.
      if (!client.#session.connection.isDevelopment) {
        await client.#session.identity.credential.metadata()
      }
    } catch (error) {
      await client.close()
      throw error
    }
    warnOfUnreadToken(client.#session)
    return client
  }

  /** A client whose first call connects: for executors, whose handlers may need none. */
  static dial(options: ConnectOptions = {}): Offstage {
    return new Offstage(sessionFrom(options), true)
  }

  /** Makes sure that the scheduler can be reached, and compares the clocks; throws as {@link connect}. */
  reach(): Promise<void> {
    return checkReachable(this.#session.connection)
  }

  /**
   * A client that acts in a job: for its owner (row J5), its starts are children of it (row J11), its waits
   * are told to `onWaiting`. Shares this client's connections; costs no call. Dispose it when the attempt ends.
   */
  forJob(job: JobIdentity): Offstage {
    const { connection, clock, foreground, sharedWaits: among } = this.#session
    const name = JSON.stringify([job.namespace, job.owner])
    const waits = job.hasOwnersRights ? { among, name } : undefined
    const options = { clock, foreground, valueCodec: job.codec, waits }
    return new Offstage(new Session(connection, identityOfJob(job), options), false)
  }

  /**
   * Why the places where a job is to put its results are wrong, as far as storage knows; undefined for nothing. For
   * executors, before a handler runs: a scope that is named gets a sign of life.
   */
  async findWrongPlace(
    places: Pick<StartOptions, 'scope' | 'resultAddress' | 'additionalResult'>,
    signal?: AbortSignal,
  ): Promise<OffstageError | undefined> {
    return new PlaceChecks(this.#session).check(places, signal)
  }

  /** Lists the executors that are attached, to whichever replica of the scheduler. For operators. */
  listExecutors(options: ExecutorsOptions = {}): AsyncIterableIterator<ExecutorInfo> {
    return listExecutors(this.#session, options)
  }

  /**
   * Holds back the queued jobs of a method (row J20): once it resolves no job of it begins, on whichever scheduler. Starts are
   * accepted and wait; what runs goes on, unless it is to be canceled. Idempotent.
   * @throws OffstageError METHOD_UNKNOWN; PERMISSION_DENIED to who is neither operator nor administrator.
   */
  pauseMethod(method: string, options: PauseOptions = {}): Promise<void> {
    return this.#namespace.pauseMethod(method, options)
  }

  /** Lets the jobs of a method go on. Idempotent; throws as {@link pauseMethod}. */
  resumeMethod(method: string): Promise<void> {
    return this.#namespace.resumeMethod(method)
  }

  /**
   * Holds back the queued jobs of a pool, whatever their method, as {@link pauseMethod} does those of a method; `default` is the pool
   * of jobs that name none. It needs no executor. Which are paused is told by `settings.get()`.
   * @throws OffstageError PERMISSION_DENIED to who is neither operator nor administrator.
   */
  pausePool(pool: string, options: PauseOptions = {}): Promise<void> {
    return this.#namespace.pausePool(pool, options)
  }

  /** Lets the jobs of a pool go on, but those of methods that are paused themselves. Idempotent; throws as {@link pausePool}. */
  resumePool(pool: string): Promise<void> {
    return this.#namespace.resumePool(pool)
  }

  /** Holds back the queued jobs of the client's namespace, as {@link pauseMethod} does those of a method. */
  pauseNamespace(options: PauseOptions = {}): Promise<void> {
    return this.#namespace.pauseNamespace(options)
  }

  /** Lets the jobs of the namespace go on, but those of methods and pools that are paused themselves. Idempotent. */
  resumeNamespace(): Promise<void> {
    return this.#namespace.resumeNamespace()
  }

  /** Whether the client's namespace is paused; of its methods {@link listMethods} tells, of its pools `settings.get()`. */
  isNamespacePaused(): Promise<boolean> {
    return this.#namespace.isPaused()
  }

  /**
   * Asks for a lease of the scheduler, which exclusive mode and locks are bound to, and renews it until it is ended.
   * @throws OffstageError QUOTA_EXCEEDED for who holds 1,000; PERMISSION_DENIED to who may not start jobs.
   */
  lease(options: LeaseOptions = {}): Promise<Lease> {
    return createLease(this.#session, options)
  }

  /**
   * Takes the client's namespace exclusively (row L10), until `leave()`, the end of the block with `await using`, or the end of this process: once
   * it resolves nothing of others runs, and none begins. Other starts reject with NAMESPACE_EXCLUSIVE, automatic ones wait; what this client
   * starts runs, and the children of that. In a handler of a privileged method its own job goes on.
   * @throws OffstageError NAMESPACE_EXCLUSIVE where somebody has it; NAMESPACE_BUSY naming what has not ended in time; PERMISSION_DENIED to
   *   who is neither administrator nor service.
   */
  exclusive(options: ExclusiveOptions = {}): Promise<ExclusiveMode> {
    return enterExclusiveMode(this.#session, options)
  }

  /** Ends exclusive mode, whoever has it. For administrators; idempotent. */
  endExclusiveMode(): Promise<void> {
    return endExclusiveMode(this.#session)
  }

  /** Whether somebody has the client's namespace exclusively, or is about to. */
  async isExclusiveMode(): Promise<boolean> {
    return (await readExclusiveHolder(this.#session)) !== undefined
  }

  /** Who has the client's namespace exclusively, or is about to; undefined where nobody does. */
  exclusiveHolder(): Promise<ExclusiveHolder | undefined> {
    return readExclusiveHolder(this.#session)
  }

  /** As {@link exclusiveHolder}, at once and each time it has become otherwise. */
  watchExclusiveMode(
    options: ExclusiveWatchOptions = {},
  ): AsyncIterableIterator<ExclusiveHolder | undefined> {
    return watchExclusiveHolder(this.#session, options)
  }

  /** Holds idle handlers back while somebody else has the client's namespace exclusively (row I4), until it is disposed. */
  blockWhileExclusive(
    handlers: Pick<IdleHandlers, 'blockAll'>,
    options: Omit<ExclusiveWatchOptions, 'signal'> = {},
  ): Disposable {
    return blockWhileExclusive(this.#session, handlers, options)
  }

  /** Lists the methods that executors have ever announced, by name, page after page as they are iterated. */
  listMethods(options: ListMethodsOptions = {}): AsyncIterableIterator<MethodInfo> {
    return this.#namespace.listMethods(options)
  }

  /**
   * Lists what operators and administrators did on what is not theirs or on the namespace, newest first (row P7).
   * @throws OffstageError PERMISSION_DENIED to who is no administrator.
   */
  listActs(options: ListActsOptions = {}): AsyncIterableIterator<Act> {
    return listActs(this.#session, options)
  }

  /** As {@link listActs}, of temp values and scopes: what administrators did with those of others. */
  listValueActs(options: ListActsOptions = {}): AsyncIterableIterator<Act> {
    return listValueActs(this.#session, options)
  }

  /**
   * Takes data locks by name (row E3), of several all or none: bound to a lease of one's own, or without one to the run they are taken in,
   * which frees them at its end (row E1). `job.lock` binds them to the attempt itself.
   * @throws TypeError without a lease outside of any run; OffstageError LOCK_TAKEN, naming who holds it; LOCK_DEADLOCK; LEASE_NOT_FOUND; JOB_NOT_RUNNING.
   */
  lock(
    name: string | readonly string[],
    { mode, timeoutMs, signal, ...holder }: LockOptions & Partial<LockHolder> = {},
  ): Promise<HeldLock> {
    return takeLocks(this.#session, name, givenHolder(holder), { mode, timeoutMs, signal })
  }

  /**
   * From now on what is refreshed in the store is refreshed in the namespace: in the clients that are connected so, and on every thread of
   * its executors (row C6), which are so by themselves. Elsewhere within milliseconds, or 5 s where a hint is lost. Keep it for as long as values
   * are to be refreshed; the connection's stream keeps the process running until the client is closed or this is disposed. What was
   * remembered before the first contact is dropped with it.
   */
  connectValues(options: { readonly store?: ValuesStore } = {}): ValuesConnection {
    return connectValues(this.#session, options)
  }

  /**
   * Drops reusable values in this process and in the namespace, whether this process is connected or not; without a target all of them.
   * Resolves when the scheduler has recorded it: then it cannot get lost.
   * @throws TypeError for a target that is none; OffstageError PERMISSION_DENIED to readers.
   */
  refreshValues(target?: RefreshTarget): Promise<void> {
    return refreshValues(this.#session, target)
  }

  /** Whose calls its calls are: a text that is the same in every process of a user, for keys of what no other user may share. */
  caller(): Promise<string> {
    return this.#session.identity.credential.caller()
  }

  /** For stores of one's own, `createValuesStore({ refreshPort })`. {@link connectValues} is the shorter way. */
  get refreshPort(): ValueRefreshes {
    return this.#session.refreshes
  }

  /** Ends the streams and the connections. Waits still going on reject, and so do later calls: the client of a job ends with its attempt. */
  async close(): Promise<void> {
    const { connection, identity, foreground } = this.#session
    if (this.#ownsConnection) await foreground?.close()
    this.#session.close()
    if (this.#ownsConnection) connection.close()
    else identity.credential.end(attemptEnded())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
