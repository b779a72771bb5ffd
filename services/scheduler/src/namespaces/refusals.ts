/** What is said of leases of callers, of who has a namespace exclusively, and of settings. */
import { Refusal } from '@offstage/kit/grpc'
import type { RunningJobOfOthers } from '../domain/exclusive-mode.ts'

export function tooManyLeases(max: number): Refusal {
  return new Refusal({
    reason: 'QUOTA_EXCEEDED',
    message: `you hold ${max} leases, as many as one user may; end some, or let them run out`,
    metadata: { limit: 'owner_leases', max: String(max) },
  })
}

export function namespaceBusy(
  namespace: string,
  running: readonly RunningJobOfOthers[],
  count: number,
): Refusal {
  const named = running.map(
    ({ id, method, owner, ageMs }) =>
      `${id} (${method} of ${owner}, for ${Math.round(ageMs / 1_000)} s)`,
  )
  const more = count > named.length ? ` and ${count - named.length} more` : ''
  const what = count === 1 ? 'a job' : `${count} jobs`
  return new Refusal({
    reason: 'NAMESPACE_BUSY',
    message: `${what} of others still ran in namespace ${namespace}: ${named.join(', ')}${more}; wait longer, or cancel what runs`,
    metadata: { namespace, count: String(count), job_ids: running.map(({ id }) => id).join(',') },
  })
}

export function tooManyTracked(namespace: string, max: number): Refusal {
  return new Refusal({
    reason: 'QUOTA_EXCEEDED',
    message: `leaks of at most ${max} names are looked for in namespace ${namespace} at once; stop some, or let them run out`,
    metadata: { limit: 'tracked_leaks', max: String(max) },
  })
}

export function etagMismatch(namespace: string): Refusal {
  return new Refusal({
    reason: 'ETAG_MISMATCH',
    message: `the settings of namespace ${namespace} were changed since they were read; read them again and decide anew`,
    metadata: { namespace },
  })
}

export function previewTooSlow(): Refusal {
  const message =
    'counting the finished jobs took too long, since the whole table is read for it; try again when less is going on. ' +
    'The limits hold all the same'
  return new Refusal({ reason: 'DATABASE_UNAVAILABLE', message, retryDelayMs: 5_000 })
}
