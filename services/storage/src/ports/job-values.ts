/** Values that are the own of jobs, of which the scheduler knows. */
import type { Address } from '../domain/identifier.ts'
import type { GoneValue } from './values.ts'

/** A value that a removed job has left. */
export interface DiscardedValue {
  /** By which it is said that it is gone. */
  readonly id: bigint
  readonly address: string
  readonly namespace: string
  readonly owner: string
}

/** What the scheduler knows of the values of jobs. Rejects where it cannot be asked. */
export interface JobValues {
  /** Those of the addresses that a job names. */
  needed(addresses: readonly Address[]): Promise<ReadonlySet<string>>
  /** The first of those that removed jobs have left, when `done` are gone. */
  discarded(done: readonly bigint[], limit: number): Promise<readonly DiscardedValue[]>
}

/** Values that are the own of jobs, as upkeep looks at them. */
export interface JobValueStore {
  isAny(): Promise<boolean>
  /** Those of them that are the own of a job, and whose they are said to be. */
  deleteDiscarded(values: readonly DiscardedValue[]): Promise<GoneValue[]>
  /** Those for which the scheduler is to be asked. */
  due(limit: number): Promise<Address[]>
  /** A job needs them: the scheduler is to be asked again later. */
  keep(addresses: readonly Address[]): Promise<void>
  deleteNeedless(addresses: readonly Address[]): Promise<GoneValue[]>
}
