/** Values in temp storage that are the own of jobs. */

/** A value that a removed job has left in temp storage. */
export interface DiscardedValue {
  readonly id: number
  readonly namespace: string
  readonly owner: string
  readonly address: string
}

export interface JobValueStore {
  /** Those of the addresses that a job names. */
  needed(addresses: readonly string[]): Promise<string[]>
  /** The first of those that are not gone yet, when `done` are taken for gone. */
  discarded(
    namespaces: 'all' | readonly string[],
    done: readonly number[],
    limit: number,
  ): Promise<DiscardedValue[]>
}
