/** Refreshes of reusable values as they are stored: an epoch for each namespace, and the scopes that raised it lately. */
import type { RefreshNews, RefreshScope } from '../domain/value-refresh.ts'

export interface AskedRefresh {
  readonly namespace: string
  readonly scope: RefreshScope
}

/** Up to where somebody knows the refreshes of a namespace. */
export interface KnownEpoch {
  readonly namespace: string
  readonly epoch: number
}

export interface RefreshStore {
  /**
   * Raises the epoch of each namespace once, whatever is refreshed in it; the epochs, by the places of what was asked. Epochs of a
   * namespace are committed in their order, so whoever knows one has missed none below it.
   */
  record(asked: readonly AskedRefresh[]): Promise<number[]>
  /** Of the namespaces, each given once, whose epoch is another than the one known. */
  read(known: readonly KnownEpoch[]): Promise<Map<string, RefreshNews>>
  /** Forgets scopes that are old or too many; whoever does not know them is told to drop all. */
  fold(): Promise<void>
}
