/** How a scenario says that an executor does not keep to the protocol. */
import { setTimeout as pause } from 'node:timers/promises'
import { inspect, isDeepStrictEqual } from 'node:util'

/** How long an executor may take for anything. */
const PATIENCE_MS = 10_000

/** The executor does what it must not, or does not do what it must. */
export class Broken extends Error {
  override readonly name = 'Broken'
}

export function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Broken(otherwise)
}

export function mustBe(what: string, actual: unknown, expected: unknown): void {
  must(
    isDeepStrictEqual(actual, expected),
    `${what} must be ${inspect(expected)}, but is ${inspect(actual, { breakLength: 120 })}`,
  )
}

/** What `find` finds, once it does. */
export async function awaited<T>(
  what: string,
  find: () => T | undefined,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const giveUpAt = performance.now() + patienceMs
  for (;;) {
    const found = find()
    if (found !== undefined && found !== false) return found
    must(performance.now() < giveUpAt, `waited ${patienceMs / 1_000} s in vain for ${what}`)
    await pause(5)
  }
}
