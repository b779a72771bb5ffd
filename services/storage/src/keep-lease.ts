/**
 * Leases on values and uploads: whose process dies loses them soon, so that whoever comes back to a
 * service that was restarted finds the value, or goes on with the upload, within one call.
 *
 * The holder counts too, by its own clock and from before each renewal: what it cannot renew in time it
 * takes for lost, whether or not the database could tell it so. So two never hold the same.
 */

/** How long a claim on a value or an upload outlives a process that died with it. */
export const LEASE_MS = 6_000
/** How long a call waits for what another holds: for the lease of one that died, and a little. */
export const LEASE_WAIT_MS = 8_000
const RENEW_EVERY_MS = 2_000

export interface KeptLease extends Disposable {
  /** Somebody else may have it. */
  readonly lost: boolean
  /** The outcome of `work`, or, when the lease is lost before it is there, undefined. */
  unlessLost<T>(work: Promise<T>): Promise<T | undefined>
}

/** Renews a lease of {@link LEASE_MS} until disposed of; `renew` resolves to false when it is lost. */
export function keepLease(renew: () => Promise<boolean>): KeptLease {
  const loss = new AbortController()
  let renewedAt = performance.now()
  const isLate = () => performance.now() - renewedAt >= LEASE_MS
  const tick = async () => {
    const askedAt = performance.now()
    if (isLate() || !(await renew())) loss.abort()
    else renewedAt = askedAt
  }
  // A database that is away for a moment does not end a lease.
  const timer = setInterval(() => void tick().catch(() => {}), RENEW_EVERY_MS).unref()
  return {
    get lost() {
      return loss.signal.aborted || isLate()
    },
    async unlessLost(work) {
      work.catch(() => {
        // Nobody waits for it any more when the lease is lost first.
      })
      const { promise: lost, resolve } = Promise.withResolvers<undefined>()
      const onLoss = () => resolve(undefined)
      loss.signal.addEventListener('abort', onLoss)
      try {
        return loss.signal.aborted ? undefined : await Promise.race([work, lost])
      } finally {
        loss.signal.removeEventListener('abort', onLoss)
      }
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
