import type { OwnerLevel } from './owner.ts'

/** The shortest interval a handler can have, in milliseconds: a tenth of a second (row I1). */
export const intervalMsMin = 100

/**
 * The interval given to `attach` is not a finite number of at least 100 ms (row I1). Nothing has been
 * attached, and an earlier attachment of the same handler stays as it was.
 */
export class InvalidIntervalError extends RangeError {
  override readonly name = 'InvalidIntervalError'
  /** The field at fault. */
  readonly field = 'intervalMs'
  /** What was given instead. */
  readonly given: unknown

  constructor(given: unknown) {
    // Only numbers are shown: '500' would look like one, and some objects refuse to be text.
    const got = typeof given === 'number' ? given : `a value of type ${typeof given}`
    super(
      `intervalMs must be a finite number of milliseconds, at least ${intervalMsMin}; got ${got}`,
    )
    this.given = given
  }
}

/**
 * A handler was to be attached to an owner that is disposed, by itself or with its whole table (row I4).
 * Nothing has been attached.
 */
export class OwnerDisposedError extends Error {
  override readonly name = 'OwnerDisposedError'
  /** The level of the disposed owner. */
  readonly level: OwnerLevel
  /** The name the owner was created with. */
  readonly ownerName: string

  constructor(level: OwnerLevel, ownerName: string) {
    super(`cannot attach an idle handler: the ${level} "${ownerName}" is disposed`)
    this.level = level
    this.ownerName = ownerName
  }
}
