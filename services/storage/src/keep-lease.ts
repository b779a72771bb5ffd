/** How long a claim on a value or an upload outlives a process that died with it. */
export const LEASE_MS = 30_000
const RENEW_EVERY_MS = 10_000

export interface KeptLease extends Disposable {
  /** Somebody else may have it. */
  readonly lost: boolean
}

/** Renews a lease of {@link LEASE_MS} until disposed of; `renew` resolves to false when it is lost. */
export function keepLease(renew: () => Promise<boolean>): KeptLease {
  let lost = false
  const tick = async () => {
    lost = !(await renew())
  }
  // A database that is away for a moment does not end a lease; one that is away for longer than it
  // does, and the next renewal will say so.
  const timer = setInterval(() => void tick().catch(() => {}), RENEW_EVERY_MS).unref()
  return {
    get lost() {
      return lost
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
