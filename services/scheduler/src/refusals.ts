/** What callers are refused with: what they see, and what they can do. What one room alone says is there, where that room knows gRPC. */
import { Refusal } from '@offstage/kit/grpc'
import type { Violation } from '@offstage/proto/field-rules'
import type { ExclusiveHolder } from './domain/exclusive-mode.ts'
import type { AttemptRef, KeyHolder } from './domain/held-job.ts'

export function invalidFields(violations: readonly Violation[]): Refusal {
  const [first] = violations
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : ''
  const tooLarge = violations.some(({ field }) => field.endsWith('params.inline'))
  return new Refusal({
    reason: tooLarge ? 'PARAMS_TOO_LARGE' : 'INVALID_FIELD',
    message: `${first?.field} ${first?.description}${more}`,
    violations,
  })
}

export function invalidField(field: string, description: string): Refusal {
  return invalidFields([{ field, description }])
}

/** Also the answer for a job of another owner (row J6). */
export function jobNotFound(jobId: string): Refusal {
  return new Refusal({
    reason: 'JOB_NOT_FOUND',
    message: `there is no job ${jobId} in this namespace that you may see`,
    metadata: { job_id: jobId },
  })
}

/** Also the answer for one that is there and that the caller may not enter. */
export function namespaceNotFound(namespace: string): Refusal {
  return new Refusal({
    reason: 'NAMESPACE_NOT_FOUND',
    message: `there is no namespace ${namespace}, or you may not see it`,
    metadata: { namespace },
  })
}

export function methodUnknown(
  namespace: string,
  method: string,
  known: readonly string[],
  /** Where `method` is its fallback. */
  requested?: string,
): Refusal {
  const hint =
    known.length === 0
      ? 'no executor has attached to this namespace yet'
      : `known methods: ${known.slice(0, 10).join(', ')}${known.length > 10 ? ', …' : ''}`
  const named =
    requested === undefined ? `"${method}"` : `"${requested}", nor its fallback "${method}",`
  return new Refusal({
    reason: 'METHOD_UNKNOWN',
    message: `no executor has announced the method ${named} in namespace "${namespace}"; ${hint}. Start an executor that defines it, or check the spelling.`,
    metadata: requested
      ? { method: requested, fallback_method: method, namespace }
      : { method, namespace },
    violations: [{ field: 'method', description: 'is not known' }],
  })
}

export function attachNotAllowed(
  what: 'methods' | 'pools' | 'schedules',
  names: readonly string[],
): Refusal {
  const named = names.slice(0, 10).join(', ')
  const more = names.length > 10 ? ` and ${names.length - 10} more` : ''
  const why =
    what === 'schedules'
      ? 'that takes the right to create schedules, such as in the role user beside executor'
      : `attach.${what} of your grant names none that fits`
  return new Refusal({
    reason: 'ATTACH_NOT_ALLOWED',
    message: `you may not attach with the ${what} ${named}${more}: ${why}`,
    metadata: { [what]: named },
  })
}

/** `holder`: the job that holds it, where it exists for the caller. */
export function keyTaken(key: string, holder: KeyHolder | undefined): Refusal {
  if (holder === undefined) {
    const message = `key "${key}" is held by a job of somebody else`
    return new Refusal({ reason: 'JOB_KEY_TAKEN', message })
  }
  const seconds = Math.round(holder.ageMs / 1_000)
  return new Refusal({
    reason: 'JOB_KEY_TAKEN',
    message: `key "${key}" is held by job ${holder.id} of ${holder.owner}, started ${seconds} s ago`,
    metadata: { job_id: holder.id, owner: holder.owner, age_ms: String(Math.round(holder.ageMs)) },
  })
}

/** Also the answer for an attempt of somebody else's session. */
export function attemptNotHeld(attempt: AttemptRef): Refusal {
  const { jobId } = attempt
  return new Refusal({
    reason: 'ATTEMPT_NOT_HELD',
    message: `your session does not run attempt ${attempt.attempt} of job ${jobId}, or no longer`,
    metadata: { job_id: jobId },
  })
}

/** Also the answer for a parent of another owner (row J6). */
export function parentNotFound(): Refusal {
  return invalidField('parent_job_id', 'names no job in this namespace that you may see')
}

export function requestIdReused(requestId: string): Refusal {
  return new Refusal({
    reason: 'REQUEST_ID_REUSED',
    message: `request id "${requestId}" was used for another start`,
    violations: [{ field: 'request_id', description: 'was used for another start' }],
  })
}

export function overloaded(what: string): Refusal {
  return new Refusal({
    reason: 'OVERLOADED',
    message: `too many ${what} are waiting; nothing of this call was kept`,
    retryDelayMs: 500,
  })
}

export function explainingTooSlow(): Refusal {
  const message =
    'finding out what holds the job back took too long; try again when less is going on'
  return new Refusal({ reason: 'DATABASE_UNAVAILABLE', message, retryDelayMs: 5_000 })
}

export function loadUnknown(): Refusal {
  const message = 'counting the jobs took too long; it is tried again'
  return new Refusal({ reason: 'DATABASE_UNAVAILABLE', message, retryDelayMs: 1_000 })
}

export function tooManyWaiters(
  max: number,
  limit: 'watched' | 'caller_watched' = 'watched',
): Refusal {
  const whose = limit === 'watched' ? 'jobs are waited for' : 'jobs are waited for by you'
  return new Refusal({
    reason: 'TOO_MANY_WAITERS',
    message: `more than ${max} ${whose} on this replica`,
    metadata: { limit, max: String(max) },
    retryDelayMs: 1_000,
  })
}

export function attachElsewhere(): Refusal {
  return new Refusal({
    reason: 'SHUTTING_DOWN',
    message: 'this replica no longer serves the executor session; attach again',
    retryDelayMs: 0,
  })
}

export function tooManyExecutors(limit: number): Refusal {
  return new Refusal({
    reason: 'OVERLOADED',
    message: `${limit} executors are attached to this replica; attach to another, or add replicas`,
    retryDelayMs: 5_000,
  })
}

/** Whoever may enter the namespace is told who has it. */
export function namespaceExclusive(namespace: string, holder: ExclusiveHolder): Refusal {
  const { owner, askTime, time = askTime, expireTime } = holder
  const [since, until] = [time.toISOString(), expireTime.toISOString()]
  return new Refusal({
    reason: 'NAMESPACE_EXCLUSIVE',
    message: `${owner} has namespace ${namespace} exclusively since ${since}, until ${until} or longer; start it again later, or mark it automatic: then it waits`,
    metadata: { namespace, owner, since, until },
  })
}
