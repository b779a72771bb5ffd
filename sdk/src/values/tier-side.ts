/** Reusable functions as they are seen from the tier that answers for them (row C8): what callers elsewhere are told besides the value. */
import type { Lifetime } from './options.ts'

/** What is remembered for a call, for whoever remembers it too. */
export interface HeldValue {
  /** How long ago it was computed. */
  readonly ageMs: number
  /** How long it is of use from now on; 0: it is not remembered here, and is not to be elsewhere. */
  readonly leftMs: number
  readonly tags: readonly string[]
}

export interface TierSide {
  readonly name: string
  readonly lifetime: Lifetime
  /** Whether its values are to be had elsewhere, too. */
  readonly hasTier: boolean
  /** For the running code; to be asked right after the call. */
  held(params: readonly unknown[]): HeldValue
  /** Resolves when everything that was refreshed in the namespace up to this epoch has been dropped here. */
  reach(epoch: number): Promise<void>
}

const sides = new WeakMap<object, TierSide>()

export function noteTierSide(fn: object, side: TierSide): void {
  sides.set(fn, side)
}

/** Undefined for what is no reusable function. */
export function tierSideOf(fn: unknown): TierSide | undefined {
  return typeof fn === 'function' ? sides.get(fn) : undefined
}
