/** Data locks (row E3): by name, bound to an attempt or to a lease, with whom they end. */

export type LockHolder =
  | { readonly kind: 'job'; readonly jobId: string; readonly attempt: number }
  | { readonly kind: 'lease'; readonly leaseId: string }

/** A transaction of an application's own holds it, which nothing else is known of. */
export interface InTransaction {
  readonly kind: 'transaction'
}

export interface LockRequest {
  readonly namespace: string
  /** In order, each once. */
  readonly names: readonly string[]
  readonly exclusive: boolean
  readonly owner: string
  readonly holder: LockHolder
  /** Empty: it is never said again. */
  readonly requestId: string
}

export interface Lock {
  readonly name: string
  readonly owner: string
  readonly holder: LockHolder
  readonly exclusive: boolean
  /** Of two that exclude each other the later one has the higher number. */
  readonly fencingToken: number
  readonly acquireTime: Date
}

/** What stands in the way: a lock, or somebody who waits for it and came before. */
export interface LockConflict {
  readonly isWaiting: boolean
  readonly name: string
  /** Of a transaction, the login as `sql:` and its name. */
  readonly owner: string
  readonly holder: LockHolder | InTransaction
  readonly since: Date
}
