export interface Chance {
  /** From 0 up to 1. */
  next(): number
  /** A whole number, both ends included. */
  within(low: number, high: number): number
  one<T>(list: readonly T[]): T
}

/** Mulberry32: the same seed, the same story. */
export function createChance(seed: number): Chance {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    within: (low, high) => Math.round(low + next() * (high - low)),
    one: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T,
  }
}
