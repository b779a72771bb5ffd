/**
 * Who waits for whom while values are computed, so that a function that would wait for itself fails and says so
 * instead of filling the stack or hanging for ever.
 *
 * How it works: a function that may be asynchronous runs in a context that names its computation; what is begun or
 * joined there is waited for by that computation, as far as anybody can know. Those on the stack, whose functions have
 * not returned, are known without a context. Nothing of this is looked at on a hit.
 *
 * Invariants:
 * 1. A computation that is over waits for nobody, and nobody waits for it.
 * 2. One whose function has not returned has no place in the table yet, but is on the stack; afterwards equal calls
 *    find its flight and join it.
 */
import { shown } from '../arguments/shown.ts'
import type { Component } from './components.ts'
import { AsyncLocalStorage, AsyncResource } from './runtime.ts'

/** Which call a computation is of: of the same function in the same partition, with the same parameters. */
interface CallKey {
  readonly trie: object
  readonly first: Component
  readonly rest: readonly Component[]
}

/** More than this are not looked at; a longer cycle hangs. */
const WAITING_MAX = 10_000

/**
 * A reusable function would wait for its own call with equal parameters, by itself or through others: it never could
 * return. The call that would have closed the cycle is refused.
 */
export class ReusableCycleError extends Error {
  override readonly name = 'ReusableCycleError'
  /** The calls, the first waiting for the second and so on; the last is the first again. */
  readonly cycle: readonly string[]

  constructor(cycle: readonly string[]) {
    super(`${cycle[0]} would wait for itself: ${cycle.join(' → ')}`)
    this.cycle = cycle
  }
}

/** The innermost computation whose function has not returned. */
let onStack: Computing | undefined

/** One computation, from its beginning until its outcome is decided or nobody waits for it any more. */
export class Computing {
  readonly #name: string
  #call: { readonly key: CallKey; readonly params: readonly unknown[] } | undefined
  /** The one below it on the stack. */
  #below: Computing | undefined
  /** The one that waits for it from the beginning. */
  #starter: Computing | undefined
  #joiners: Set<Computing> | undefined
  /** Who waits for it and is no computation. */
  #outside: Set<object> | undefined

  readonly #cycleElsewhere: (() => ReusableCycleError | undefined) | undefined

  /**
   * @param isAwaited false when its caller was answered with an old value and this runs behind.
   * @param cycleElsewhere tells if the running code, by way of other processes, is what it waits for
   */
  constructor(
    name: string,
    key: CallKey,
    params: readonly unknown[],
    isAwaited: boolean,
    cycleElsewhere?: () => ReusableCycleError | undefined,
  ) {
    this.#cycleElsewhere = cycleElsewhere
    this.#name = name
    this.#call = { key, params }
    this.#starter = isAwaited ? running() : undefined
    if (isAwaited && this.#starter === undefined) this.#awaitOutside()
  }

  /** Runs the function as part of this computation. What a synchronous one starts is part of those around it. */
  run(fn: (...args: unknown[]) => unknown, args: readonly unknown[], isSync: boolean): unknown {
    this.#below = onStack
    onStack = this
    try {
      if (isSync) return fn(...args)
      if (computings.getStore() !== undefined) return computings.run(this, fn, ...args)
      // Puts back what was before; `computings.run` alone leaves an empty context, which each hit would then look into. Once
      // for all that are nested, because a stack that overflows at this place ends the process.
      const around = new AsyncResource('ReusableValue', { requireManualDestroy: true })
      return around.runInAsyncScope(() => computings.run(this, fn, ...args))
    } finally {
      onStack = this.#below
      this.#below = undefined
    }
  }

  get isOver(): boolean {
    return this.#call === undefined
  }

  /** Invariant 1. */
  end(): void {
    this.#call = undefined
    this.#starter = undefined
    this.#joiners = undefined
    this.#outside = undefined
  }

  /** The running code is to wait for this computation; tells if that would never end. */
  join(): ReusableCycleError | undefined {
    const cycle = this.#cycleElsewhere?.()
    if (cycle !== undefined && !this.isOver) return cycle
    const joiner = running()
    if (this.isOver) return undefined
    if (joiner === undefined) {
      this.#awaitOutside()
      return undefined
    }
    const way = wayUp(joiner, this)
    if (way !== undefined) return cycleOf([...way, this])
    this.#joiners ??= new Set()
    this.#joiners.add(joiner)
    return undefined
  }

  /** Tells if the function of the same call is on the stack (invariant 2). */
  static findSelf(key: CallKey): ReusableCycleError | undefined {
    const way: Computing[] = []
    for (let at = onStack; at !== undefined; at = at.#below) {
      way.push(at)
      if (at.#call !== undefined && areEqual(at.#call.key, key)) {
        return cycleOf([at, ...way.slice(0, -1).reverse(), at])
      }
    }
    return undefined
  }

  /** Those who wait for this one and are not over. */
  *waiting(): Generator<Computing> {
    if (this.#starter?.isOver === false) yield this.#starter
    for (const joiner of this.#joiners ?? []) if (!joiner.isOver) yield joiner
  }

  #awaitOutside(): void {
    const waiter = waiters.getStore()
    if (waiter === undefined) return
    this.#outside ??= new Set()
    this.#outside.add(waiter)
  }

  /** Who waits for it from outside of computations (`runAsWaiter`), directly or by others that wait for it. */
  waitingOutside(): Set<object> {
    const outside = new Set<object>()
    const awaiting = new Set<Computing>([this])
    for (const each of awaiting) {
      for (const waiter of each.#outside ?? []) outside.add(waiter)
      if (awaiting.size > WAITING_MAX) break
      for (const waiting of each.waiting()) awaiting.add(waiting)
    }
    return outside
  }

  toString(): string {
    return `${this.#name}(${this.#call?.params.map(shown).join(', ') ?? ''})`
  }
}

/** Apart from the contexts of contexts.ts, which each hit reads and no miss changes. */
const computings = new AsyncLocalStorage<Computing>()

const waiters = new AsyncLocalStorage<object>()

/** What the code asks for and computes is waited for by this one, as by a job that answers with it. */
export function runAsWaiter<T>(waiter: object, fn: () => T): T {
  return waiters.run(waiter, fn)
}

/** The asynchronous computation that the running code is part of. */
function running(): Computing | undefined {
  const computing = computings.getStore()
  return computing?.isOver ? undefined : computing
}

/** The way from `to` down to `from`, each waiting for the next; undefined when `to` does not wait for `from`. */
function wayUp(from: Computing, to: Computing): Computing[] | undefined {
  const awaitedBy = new Map<Computing, Computing | undefined>([[from, undefined]])
  for (const awaited of awaitedBy.keys()) {
    if (awaited === to) {
      const way: Computing[] = []
      for (let at: Computing | undefined = to; at !== undefined; at = awaitedBy.get(at))
        way.push(at)
      return way
    }
    if (awaitedBy.size > WAITING_MAX) return undefined
    for (const waiting of awaited.waiting()) {
      if (!awaitedBy.has(waiting)) awaitedBy.set(waiting, awaited)
    }
  }
  return undefined
}

function areEqual(a: CallKey, b: CallKey): boolean {
  if (a.trie !== b.trie || !Object.is(a.first, b.first) || a.rest.length !== b.rest.length) {
    return false
  }
  return a.rest.every((component, i) => Object.is(component, b.rest[i]))
}

function cycleOf(way: readonly Computing[]): ReusableCycleError {
  return new ReusableCycleError(way.map(String))
}
