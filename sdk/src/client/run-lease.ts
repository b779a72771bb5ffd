/** The lease that locks taken without one are bound to (row E1): one for each run and client, which ends with the run. */
import { currentRun, type Run } from '../runs/mod.ts'
import type { Calls } from './calls.ts'
import { createLease, type Lease } from './lease.ts'

const leases = new WeakMap<Run, WeakMap<Calls, Promise<Lease>>>()

/** @throws TypeError outside of any run: such a lock would end with nothing. */
export function leaseOfRun(calls: Calls): Promise<Lease> {
  const run = currentRun()
  if (run === undefined) {
    throw new TypeError(
      'a lock outside of a run must be given a lease (await offstage.lease()): take it with one, in runInScope, or by job.lock',
    )
  }
  const ofClients = leases.get(run) ?? new WeakMap<Calls, Promise<Lease>>()
  leases.set(run, ofClients)
  const known = ofClients.get(calls)
  if (known !== undefined) return known
  const lease = createLease(calls, { displayName: run.name.slice(0, 200) })
  ofClients.set(calls, lease)
  // To hold a lock to the end of the run is what it is for: that is not told.
  const { closed } = run.opened({
    what: 'the lease of its locks',
    close: async () => (await lease).end(),
    told: false,
  })
  lease.catch(() => {
    ofClients.delete(calls)
    closed()
  })
  return lease
}
