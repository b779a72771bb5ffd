/** What is told to others. */
import type { GoneValue } from './values.ts'

export type ValueEvent = 'reserved' | 'put' | 'deleted' | 'expired'

/** Tells others; all of it may get lost. */
export interface Hints {
  value(event: ValueEvent, value: GoneValue): void
}
