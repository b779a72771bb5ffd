/** A scope kept alive (row S2). */
import { randomUUID } from 'node:crypto'
import { durationFrom } from '@offstage/proto/durations'
import type { Calls } from './calls.ts'
import { KeptLease } from './kept-lease.ts'
import type { Scope, ScopeOptions } from './storage-calls.ts'

const LEASE_MS_DEFAULT = 60_000

/** Opens a scope; its renewals do not keep the process alive. */
export async function openScope(calls: Calls, options: ScopeOptions): Promise<Scope> {
  const { clock, connection, identity } = calls
  const { values } = connection
  const { leaseMs = LEASE_MS_DEFAULT, displayName = '', signal } = options
  const { namespace } = identity
  const request = { namespace, lease: durationFrom(leaseMs), displayName, requestId: randomUUID() }
  // An answer that is lost leaves a scope nobody renews: it ends by itself.
  const { scope: id } = await calls.callStorage(values.openScope.bind(values), request, { signal })
  const named = { scope: id }
  const kept = new KeptLease({
    what: `scope ${id}`,
    leaseMs,
    // Of a call that was repeated, too: nothing but its values relies on it.
    askedAtMs: clock.now(),
    clock,
    renew: (terms) => calls.callStorage(values.keepScopeAlive.bind(values), named, terms),
    end: () => calls.callStorage(values.closeScope.bind(values), named),
    goneReason: 'SCOPE_NOT_FOUND',
  })
  return {
    id,
    signal: kept.signal,
    close: () => kept.end(),
    [Symbol.asyncDispose]: () => kept.end(),
  }
}
