/** Leases that exclusive mode and locks are bound to (rows L10, E3), kept alive. */
import { durationFrom, msFrom } from '@offstage/proto/durations'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { abortSignal } from '../arguments/rules.ts'
import type { Calls } from './calls.ts'
import { KeptLease } from './kept-lease.ts'
import { displayName, millisWithin } from './limit-rules.ts'

/** What a lease is asked for with. */
export interface LeaseOptions {
  /** How long it lives after the last sign of life, 5,000 to 86,400,000 ms. Default 60,000. */
  readonly durationMs?: number
  /** A name for people, at most 200 characters. */
  readonly displayName?: string
  /** Gives up the asking; nothing afterwards. */
  readonly signal?: AbortSignal
}

/** A promise that its holder lives, renewed until it is ended. */
export interface Lease extends AsyncDisposable {
  readonly id: string
  /**
   * Aborted when it is lost: by the time it runs out at the latest, however the clocks are set. What was bound to it is free then, and
   * whoever held it has to stop.
   */
  readonly signal: AbortSignal
  /** Ends it, and all that is bound to it. Idempotent. */
  end(): Promise<void>
}

export const LEASE_RULES: Rules<LeaseOptions> = {
  durationMs: millisWithin(LIMITS.leaseMsMin, LIMITS.leaseMsMax),
  displayName,
  signal: abortSignal,
}

/** Its renewals do not keep the process alive. */
export async function createLease(calls: Calls, options: LeaseOptions): Promise<Lease> {
  checkOptions('lease', options, LEASE_RULES)
  const { clock, connection, identity } = calls
  const { namespaces } = connection
  const { namespace } = identity
  const { durationMs, displayName = '', signal } = options
  const renewBy = (leaseId: string) => (terms: object) =>
    calls.callScheduler(namespaces.renewLease.bind(namespaces), { namespace, leaseId }, terms)
  const asked = { displayName, requestId: calls.nextRequestId() }
  const request = { namespace, duration: durationFrom(durationMs), ...asked }
  let askedAtMs = clock.now()
  const create = namespaces.createLease.bind(namespaces)
  const { lease } = await calls.callScheduler(create, request, { signal })
  const { leaseId: id = '' } = lease ?? {}
  const leaseMs = msFrom(lease?.duration) ?? LIMITS.leaseMsMin
  const renew = renewBy(id)
  // The call was repeated, and it may have been granted long ago.
  if (clock.now() - askedAtMs >= leaseMs / 3) {
    askedAtMs = clock.now()
    await renew({ signal })
  }
  const kept = new KeptLease({
    ...{ what: `lease ${id}`, leaseMs, askedAtMs, clock, renew },
    end: () =>
      calls.callScheduler(namespaces.endLease.bind(namespaces), { namespace, leaseId: id }),
    goneReason: 'LEASE_NOT_FOUND',
  })
  return {
    id,
    signal: kept.signal,
    end: () => kept.end(),
    [Symbol.asyncDispose]: () => kept.end(),
  }
}
