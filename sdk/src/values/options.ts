import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { callback, isObject, numberRule, oneOf, rule, someText } from '../arguments/rules.ts'
import { session, type ValuesSession } from './contexts.ts'
import type { RemoteTier } from './remote-tier.ts'
import { type FreezeMode, freezeModes, type UnfreezableRule, unfreezableRules } from './share.ts'
import { store, type ValuesStore } from './store.ts'
import { ticksOf } from './ticks.ts'

/** How long a value lives at most: one run, request or explicit scope, or a session (row C1). */
export type Lifetime = (typeof lifetimes)[number]
const lifetimes = ['call', 'session'] as const

/** Row C3: 20 minutes after computing. */
export const MAX_AGE_MS_DEFAULT = 20 * 60_000
/** Row C3: 6 minutes after last use. */
export const IDLE_MS_DEFAULT = 6 * 60_000

/** Options of `reusable`. P: parameters, R: what the function returns, F: what is frozen of it. */
export interface ReusableOptions<
  P extends readonly unknown[],
  R,
  F extends FreezeMode = FreezeMode,
> {
  /**
   * Name in statistics, metrics and refreshes, the same in every process; unique in its store.
   * Default: the function's own name; an anonymous one must be given a name.
   */
  readonly name?: string
  /**
   * Default `session`. Outside of any call scope a `call` function runs and remembers nothing (row
   * C1).
   */
  readonly lifetime?: Lifetime
  /**
   * Session the values belong to; default: that of the running code, else the process's own (row
   * C1).
   */
  readonly session?: ValuesSession
  /**
   * Dropped this long after computing. Above 0; default 20 min (row C3). Kept to 0.1 s, late by up
   * to the store's resolution.
   */
  readonly maxAgeMs?: number
  /**
   * Dropped this long after last use; false: off. Above 0; default 6 min (row C3). Kept to 0.1 s,
   * late by up to twice the store's resolution.
   */
  readonly idleMs?: number | false
  /**
   * For this long after `maxAgeMs` callers get the old value at once while one computation runs
   * behind. Default 0. Only for functions that return a promise; another simply computes.
   */
  readonly staleWhileRevalidateMs?: number
  /**
   * A computation that fails this long after `maxAgeMs` at the latest is answered with the old
   * value. Default 0.
   */
  readonly staleIfErrorMs?: number
  /** What is frozen of a value before it is shared; default `deep` (row C5). */
  readonly freeze?: F
  /** What happens to a value that cannot be frozen; default `error` (row C5). */
  readonly unfreezable?: UnfreezableRule
  /**
   * Names under which a value can be refreshed (row C6). Called once for each value computed here;
   * one from the other tier brings its own. Anything but a list of strings is a TypeError.
   */
  readonly tags?: (value: Awaited<R>, ...params: P) => readonly string[]
  /**
   * Bytes of a value, instead of the estimate. Anything but a whole number from 0 is a RangeError.
   */
  readonly bytesOf?: (value: Awaited<R>) => number
  /**
   * The other side of a remote call, asked before computing (row C8). Only for functions that
   * return a promise.
   */
  readonly tier?: R extends PromiseLike<unknown> ? RemoteTier : never
  /** Where values are kept and counted; default: the process's store. */
  readonly store?: ValuesStore
}

/** Options checked, defaults filled in, times in ticks. */
export interface CachePolicy {
  readonly name: string
  readonly lifetime: Lifetime
  readonly session: ValuesSession | undefined
  readonly maxAgeTicks: number
  /** Infinity: off. */
  readonly idleTicks: number
  readonly revalidateTicks: number
  readonly fallbackTicks: number
  readonly freeze: FreezeMode
  readonly unfreezable: UnfreezableRule
  readonly tags: ((value: unknown, ...params: unknown[]) => readonly string[]) | undefined
  readonly bytesOf: ((value: unknown) => number) | undefined
  readonly tier: RemoteTier | undefined
}

const aboveZeroMs = numberRule('milliseconds above 0', (value) => value > 0)
const fromZeroMs = numberRule('milliseconds, 0 or more', (value) => value >= 0)

const RULES: Rules<ReusableOptions<readonly unknown[], unknown>> = {
  name: someText,
  lifetime: oneOf(lifetimes),
  session,
  maxAgeMs: aboveZeroMs,
  idleMs: (value, name) => {
    if (typeof value === 'number') aboveZeroMs(value, name)
    else rule('milliseconds above 0, or false', (given) => given === false)(value, name)
  },
  staleWhileRevalidateMs: fromZeroMs,
  staleIfErrorMs: fromZeroMs,
  freeze: oneOf(freezeModes),
  unfreezable: oneOf(unfreezableRules),
  tags: callback,
  bytesOf: callback,
  tier: rule(
    'a tier with fetch() and offer()',
    (value) => isObject(value) && 'fetch' in value && 'offer' in value,
  ),
  store,
}

/** Throws where the function or an option is not what it must be. */
export function policyFrom<P extends readonly unknown[], R>(
  fn: (...params: P) => R,
  options: ReusableOptions<P, R>,
): CachePolicy {
  callback(fn, 'what to wrap')
  checkOptions('reusable', options, RULES)
  const name = options.name ?? fn.name
  if (name === '') throw new TypeError('A reusable function needs a name: pass { name }')
  const { maxAgeMs = MAX_AGE_MS_DEFAULT, idleMs = IDLE_MS_DEFAULT } = options
  const { staleWhileRevalidateMs = 0, staleIfErrorMs = 0 } = options
  return {
    name,
    lifetime: options.lifetime ?? 'session',
    session: options.session,
    maxAgeTicks: ticksOf(maxAgeMs),
    idleTicks: idleMs === false ? Infinity : ticksOf(idleMs),
    revalidateTicks: ticksOf(maxAgeMs + staleWhileRevalidateMs),
    fallbackTicks: ticksOf(maxAgeMs + staleIfErrorMs),
    freeze: options.freeze ?? 'deep',
    unfreezable: options.unfreezable ?? 'error',
    tags: options.tags as CachePolicy['tags'],
    bytesOf: options.bytesOf as CachePolicy['bytesOf'],
    tier: options.tier,
  }
}
