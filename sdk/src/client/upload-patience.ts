import type { OffstageError } from '../grpc/mod.ts'
import { ATTEMPTS_MAX } from './call-terms.ts'
import type { Calls } from './calls.ts'

/**
 * A writer that died without a word holds its upload for a lease of 30 s, through a restart of the service too; twice
 * that is waited for it.
 */
const BUSY_MS_MAX = 60_000

/**
 * Says when a resumable upload is given up: after as many failures as other calls, but not for want of patience with an
 * earlier call of its own that is still taken to be writing.
 */
export function uploadPatience({ clock }: Pick<Calls, 'clock'>): (error: OffstageError) => boolean {
  let failures = 0
  let busySinceMs: number | undefined
  return ({ reason, metadata }) => {
    const busy = reason === 'STORAGE_UNAVAILABLE' && metadata.upload !== undefined
    if (!busy) {
      failures += 1
      return failures >= ATTEMPTS_MAX
    }
    busySinceMs ??= clock.now()
    return clock.now() - busySinceMs >= BUSY_MS_MAX
  }
}
