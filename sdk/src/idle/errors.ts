import { shown } from '../arguments/shown.ts'
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
    const want = `a finite number of milliseconds, at least ${intervalMsMin}`
    super(`intervalMs must be ${want}, not ${shown(given)}`)
    this.given = given
  }
}

/** A handler was to be attached to an owner that does not take any. Nothing has been attached. */
abstract class OwnerError extends Error {
  /** The level of the owner. */
  readonly level: OwnerLevel
  /** The name the owner was created with. */
  readonly ownerName: string

  constructor(level: OwnerLevel, ownerName: string, problem: string) {
    super(`cannot attach an idle handler: the ${level} "${ownerName}" is ${problem}`)
    this.level = level
    this.ownerName = ownerName
  }
}

/** The owner is disposed, by itself or with its whole table (row I4). */
export class OwnerDisposedError extends OwnerError {
  override readonly name = 'OwnerDisposedError'

  constructor(level: OwnerLevel, ownerName: string) {
    super(level, ownerName, 'disposed')
  }
}

/** The owner was created with `open: false`, and `open()` has not been called. */
export class OwnerNotOpenError extends OwnerError {
  override readonly name = 'OwnerNotOpenError'

  constructor(level: OwnerLevel, ownerName: string) {
    super(level, ownerName, 'not open yet')
  }
}
