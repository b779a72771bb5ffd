/**
 * On whose behalf code runs, carried by AsyncLocalStorage: the session, the call scope, the user
 * and whether rights are raised (rows C1, C4).
 *
 * A context is immutable; entering a scope, a session or another identity makes a new one for the
 * callback and everything it starts. What a closed scope or session left running finds it closed:
 * its calls run and nothing is remembered.
 */
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { flag, rule, text } from '../arguments/rules.ts'
import { type Partition, Partitions } from './partition.ts'
import { AsyncLocalStorage } from './runtime.ts'
import { isThenable } from './thenable.ts'

/** What may change on the way into a callback; what is left out stays as it is around it. */
export interface ValuesIdentity {
  readonly session?: ValuesSession
  /** Whose rights apply; undefined by default, which is an identity of its own. */
  readonly user?: string | undefined
  /** Whether rights checks are off; false by default. */
  readonly privileged?: boolean
}

let sessions = 0

const SESSION_RULES: Rules<ValuesSessionOptions> = { name: text, user: text, privileged: flag }
/** For whoever takes a session. */
export const session = rule(
  'a session made by createValuesSession',
  (value) => value instanceof ValuesSession,
)
const IDENTITY_RULES: Rules<ValuesIdentity> = { session, user: text, privileged: flag }

/**
 * Holds values of the lifetime `session`. Explicit for each user session of a server; a client
 * process has one of its own without asking. Two objects are two sessions, whatever their names.
 */
export class ValuesSession {
  readonly name: string
  readonly number = sessions++
  readonly partitions = new Partitions()
  readonly #identity: { readonly user: string | undefined; readonly privileged: boolean }

  constructor(options: ValuesSessionOptions = {}) {
    checkOptions('createValuesSession', options, SESSION_RULES)
    this.name = options.name ?? `session-${this.number}`
    this.#identity = { user: options.user, privileged: options.privileged ?? false }
  }

  /** Runs `callback` in this session, as its user unless `identity` says otherwise. */
  run<T>(callback: () => T, identity: Omit<ValuesIdentity, 'session'> = {}): T {
    return runWithValuesIdentity({ ...this.#identity, ...identity, session: this }, callback)
  }

  get closed(): boolean {
    return this.partitions.closed
  }

  /** Drops its values; later calls in it run and remember nothing. Closing twice is nothing. */
  close(): void {
    this.partitions.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

export interface ValuesSessionOptions {
  /** For people reading diagnostics; not an identity. */
  readonly name?: string
  /** The user `run` acts for by default. */
  readonly user?: string
  /** The mode `run` acts in by default; false. */
  readonly privileged?: boolean
}

/** Opens a session (row C1); close it when the user's session ends. */
export function createValuesSession(options?: ValuesSessionOptions): ValuesSession {
  return new ValuesSession(options)
}

/**
 * Holds values of the lifetime `call`: one run of a job, one request. For frameworks where the
 * beginning and the end are apart; otherwise `runInCallScope`.
 */
export class CallScope {
  /** Whether it is a run of `sdk/runs`, which scopes inside of it do not hide. */
  readonly isRun: boolean = false
  #partitions: Partitions | undefined
  #closed = false

  /** Made at the first value: most runs and requests remember nothing. */
  get partitions(): Partitions {
    if (this.#partitions === undefined) {
      this.#partitions = new Partitions()
      if (this.#closed) this.#partitions.close()
    }
    return this.#partitions
  }

  /** Runs `callback` in this scope; may be called any number of times until it is closed. */
  run<T>(callback: () => T, identity: ValuesIdentity = {}): T {
    checkOptions('run', identity, IDENTITY_RULES)
    return contexts.run(new ValuesContext(current(), identity, this), callback)
  }

  /** Drops its values; later calls in it run and remember nothing. Closing twice is nothing. */
  close(): void {
    this.#closed = true
    this.#partitions?.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Opens a call scope that its owner closes (row C1). */
export function createCallScope(): CallScope {
  return new CallScope()
}

/**
 * Runs `callback` in a call scope of its own and closes it when the callback is done, for an
 * asynchronous one when its promise settles (row C1). A scope inside a scope starts empty; the
 * outer one's values are not seen.
 */
export function runInCallScope<T>(callback: () => T, identity?: ValuesIdentity): T {
  const scope = new CallScope()
  let isSettled = true
  try {
    const result = scope.run(() => settling(callback()), identity)
    if (!(result instanceof Promise)) return result
    isSettled = false
    return result.finally(() => scope.close()) as T
  } finally {
    if (isSettled) scope.close()
  }
}

/** A promise for any thenable, begun here: one that starts when awaited starts in scope. */
export function settling<T>(result: T): T {
  return isThenable(result) ? (Promise.resolve(result) as T) : result
}

/**
 * Runs `callback` as another user, in another session or with raised rights, in the surrounding
 * scope (row C4).
 */
export function runWithValuesIdentity<T>(identity: ValuesIdentity, callback: () => T): T {
  checkOptions('runWithValuesIdentity', identity, IDENTITY_RULES)
  const outer = current()
  return contexts.run(new ValuesContext(outer, identity, outer.scope), callback)
}

export class ValuesContext {
  readonly session: ValuesSession
  readonly scope: CallScope | undefined
  /** The innermost scope around that is a run. */
  readonly run: CallScope | undefined
  readonly user: string | undefined
  readonly privileged: boolean
  #sessionPartition: Partition | undefined
  #callPartition: Partition | undefined
  #latest: { readonly session: ValuesSession; readonly partition: Partition } | undefined

  constructor(
    outer: ValuesContext | undefined,
    identity: ValuesIdentity,
    scope: CallScope | undefined,
  ) {
    this.session = identity.session ?? outer?.session ?? ownSession
    this.scope = scope
    this.run = scope?.isRun ? scope : outer?.run
    this.user = 'user' in identity ? identity.user : outer?.user
    this.privileged = identity.privileged ?? outer?.privileged ?? false
  }

  get sessionPartition(): Partition {
    this.#sessionPartition ??= this.partitionIn(this.session)
    return this.#sessionPartition
  }

  /** Undefined outside of any call scope. */
  get callPartition(): Partition | undefined {
    this.#callPartition ??= this.scope?.partitions.of(this.#identityIn(this.session))
    return this.#callPartition
  }

  /**
   * The partition of another session for the user and mode of this context; the latest one is kept
   * at hand.
   */
  partitionIn(session: ValuesSession): Partition {
    if (session !== this.#latest?.session) {
      this.#latest = { session, partition: session.partitions.of(this.#identityIn(session)) }
    }
    return this.#latest.partition
  }

  #identityIn(session: ValuesSession) {
    return { session: session.number, user: this.user, privileged: this.privileged }
  }
}

const contexts = new AsyncLocalStorage<ValuesContext>()
const ownSession = new ValuesSession({ name: 'own' })
const ownContext = new ValuesContext(undefined, {}, undefined)

/**
 * The context of the running code; outside of any, the process's own: own session, no user, no
 * scope.
 */
export function current(): ValuesContext {
  return contexts.getStore() ?? ownContext
}
