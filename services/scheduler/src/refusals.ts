/** Every refusal the scheduler knows, in one place: what callers see, and what they can do. */
import { Refusal } from '@offstage/kit/grpc'
import type { Violation } from '@offstage/proto/field-rules'
import type { ExclusiveHolder } from './domain/exclusive-mode.ts'
import type { KeyHolder } from './domain/held-job.ts'
import { BRIEFS_OF_PAYLOAD } from './domain/hidden-payload.ts'
import { isTerminal, JobState } from './domain/job-state.ts'
import type { LabelFault } from './domain/label-fault.ts'
import type { LimitedQueue } from './domain/method-limit.ts'
import type { AttemptRef } from './ports/attempt-tokens.ts'

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

/** As the SDK says it where it has the definition. */
export function paramsInvalid(method: string, violations: readonly Violation[]): Refusal {
  const list = violations.map(({ field, description }) => `${field}: ${description}`).join('; ')
  return new Refusal({
    reason: 'PARAMS_INVALID',
    message: `the parameters do not fit ${method}: ${list}`,
    metadata: { method },
    violations,
  })
}

/** What is left of it for whoever may not see the parameters that are refused (row J23). */
export function payloadRefusalSeen(refusal: Refusal): Refusal {
  const { reason, metadata } = refusal
  const ofQueue = reason === 'QUEUE_FULL' && 'key' in metadata
  const message = ofQueue
    ? 'As many jobs wait to begin as its limits allow.'
    : BRIEFS_OF_PAYLOAD.get(reason)
  return message === undefined ? refusal : new Refusal({ reason, message })
}

/** Which of the parameters is wrong is the expression's to say. */
export function limitKeyInvalid(method: string, expression: string, fault: string): Refusal {
  return new Refusal({
    reason: 'LIMIT_KEY_INVALID',
    message: `the limits of ${method} go by ${expression}, which has no value here: ${fault}`,
    metadata: { method, key_expression: expression },
    violations: [{ field: 'params', description: `give ${expression} no value: ${fault}` }],
  })
}

export function labelInvalid(method: string, { label, expression, fault }: LabelFault): Refusal {
  return new Refusal({
    reason: 'LABEL_INVALID',
    message: `the label ${label} of ${method} is ${expression}, which has no value here: ${fault}`,
    metadata: { method, label, expression },
    violations: [{ field: `labels[${label}]`, description: `is ${expression}: ${fault}` }],
  })
}

export function queueFull({ method, key, queuedMax }: LimitedQueue): Refusal {
  const of = key === undefined ? method : `${method} with the limit key "${key}"`
  return new Refusal({
    reason: 'QUEUE_FULL',
    message: `${queuedMax} jobs of ${of} wait to begin, as many as its limits allow; start it again later`,
    metadata: { method, max: String(queuedMax), ...(key === undefined ? {} : { key }) },
    retryDelayMs: 1_000,
  })
}

/** Also where it is another caller’s. */
export function executorSessionNotFound(
  sessionId: string,
  method: string,
  version: string,
): Refusal {
  const by = version && ` by version ${version}`
  return new Refusal({
    reason: 'EXECUTOR_SESSION_NOT_FOUND',
    message: `you have no session ${sessionId} attached that runs "${method}"${by}`,
    metadata: { session_id: sessionId, method, ...(version && { required_version: version }) },
    violations: [
      { field: 'executor_session_id', description: `is not attached, or does not run it${by}` },
    ],
  })
}

export function methodForegroundOnly(method: string): Refusal {
  return new Refusal({
    reason: 'METHOD_FOREGROUND_ONLY',
    message: `the method "${method}" cannot run in the background: start it with the mode foreground, in a process that has its handler`,
    metadata: { method },
  })
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

export function etagMismatch(namespace: string): Refusal {
  return new Refusal({
    reason: 'ETAG_MISMATCH',
    message: `the settings of namespace ${namespace} were changed since they were read; read them again and decide anew`,
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

export function methodNotStartable(method: string, roles: readonly string[]): Refusal {
  const who = roles.length === 0 ? 'users it names' : `the roles ${roles.join(', ')}`
  return new Refusal({
    reason: 'METHOD_NOT_STARTABLE',
    message: `the method "${method}" may be started by ${who} and administrators, and you are none of them`,
    metadata: { method, roles: roles.join(',') },
  })
}

/** To start it by what can be read of it could give it rights, or withhold its limits. */
export function methodUnreadable(method: string, fault: string): Refusal {
  return new Refusal({
    reason: 'METHOD_UNREADABLE',
    message: `what is known of the method "${method}" cannot be read: ${fault}`,
    metadata: { method },
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

const STATE_NAMES = new Map(Object.entries(JobState).map(([name, state]) => [state, name]))

export function jobNotRetryable(jobId: string, state: JobState): Refusal {
  const name = STATE_NAMES.get(state) ?? ''
  const advice = isTerminal(state)
    ? 'start another one to do it again'
    : 'it goes on by itself, or can be canceled'
  return new Refusal({
    reason: 'JOB_NOT_RETRYABLE',
    message: `job ${jobId} is ${name}, and only failed and canceled jobs are started anew; ${advice}`,
    metadata: { job_id: jobId, state: name.toUpperCase() },
  })
}

export function bulkNotRetryable(jobId: string): Refusal {
  return new Refusal({
    reason: 'JOB_NOT_RETRYABLE',
    message: `job ${jobId} was carried out by the scheduler itself, for what its filter selected then; ask for it again`,
    metadata: { job_id: jobId },
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

/** Of a start that asks to be attached to it (row A5). */
export function parentHasEnded(parentId: string): Refusal {
  return new Refusal({
    reason: 'PARENT_HAS_ENDED',
    message: `job ${parentId} has ended, and nothing can be attached to it any more`,
    metadata: { job_id: parentId },
    violations: [{ field: 'attached', description: 'is to a parent that has ended' }],
  })
}

export function requestIdReused(requestId: string): Refusal {
  return new Refusal({
    reason: 'REQUEST_ID_REUSED',
    message: `request id "${requestId}" was used for another start`,
    violations: [{ field: 'request_id', description: 'was used for another start' }],
  })
}

export function listingTooSlow(): Refusal {
  return invalidField(
    'filter',
    'matches so little that the listing took too long; narrow it by state, key, label, parent or created_from',
  )
}

export function countingTooSlow(): Refusal {
  return invalidField(
    'filter',
    'selects so many jobs that counting them took too long; narrow it by state, key, label, parent or created_from',
  )
}

export function tooManyCounts(limit: number): Refusal {
  return invalidField(
    'filter',
    `gives more than ${limit} counts; narrow it, or count by fewer dimensions`,
  )
}

export function overloaded(what: string): Refusal {
  return new Refusal({
    reason: 'OVERLOADED',
    message: `too many ${what} are waiting; nothing of this call was kept`,
    retryDelayMs: 500,
  })
}

export function jobNotFinished(jobId: string): Refusal {
  return new Refusal({
    reason: 'JOB_NOT_FINISHED',
    message: `job ${jobId} has not ended; cancel it first, or wait for it`,
    metadata: { job_id: jobId },
  })
}

/** Of an attached child that its parent is to fail by. */
export function parentNotFinished(jobId: string): Refusal {
  return new Refusal({
    reason: 'JOB_NOT_FINISHED',
    message: `job ${jobId} did not succeed, and the end of its parent, to which it is attached, goes by it; wait for that`,
    metadata: { job_id: jobId },
  })
}

export function previewTooSlow(): Refusal {
  const message =
    'counting the finished jobs took too long, since the whole table is read for it; try again when less is going on. ' +
    'The limits hold all the same'
  return new Refusal({ reason: 'DATABASE_UNAVAILABLE', message, retryDelayMs: 5_000 })
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

/** Which job stood in the way of a start could not be read. */
export function conflictUnresolved(cause: unknown): Refusal {
  const message = 'the start met another job, and the database could not tell which'
  return new Refusal({ reason: 'DATABASE_UNAVAILABLE', message, retryDelayMs: 500, cause })
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
