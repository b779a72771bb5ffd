/** Scopes, with which values end. */
import type { Namespace, ScopeId } from '../domain/identifier.ts'
import type { WriteFault } from '../domain/put.ts'
import type { Reach } from '../domain/reach.ts'
import type { GoneValue } from './values.ts'

export interface Scope {
  readonly id: ScopeId
  readonly namespace: Namespace
  readonly owner: string
  readonly state: 'open' | 'closed'
}

export interface ScopeStore {
  /** The scope that is open for its request id, or a new one. */
  open(scope: {
    id: ScopeId
    namespace: Namespace
    owner: string
    displayName: string
    leaseMs: number
    requestId?: string | undefined
  }): Promise<{ id: ScopeId; leaseMs: number } | WriteFault>
  find(id: ScopeId, reach?: Reach): Promise<Scope | undefined>
  /** The new end; undefined when it has ended. */
  keepAlive(id: ScopeId): Promise<Date | undefined>
  /** Nothing can be put into it any more, and all that was put can be seen. Deletes up to `limit` values of it. Idempotent. */
  close(id: ScopeId, limit: number): Promise<GoneValue[]>
  /** Up to `limit` values of a closed scope. */
  deleteValues(id: ScopeId, limit: number): Promise<GoneValue[]>
}
