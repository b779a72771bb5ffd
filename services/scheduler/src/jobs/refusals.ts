/** What is said of starts, and of what is asked of jobs, that cannot be as they are. */
import { Refusal } from '@offstage/kit/grpc'
import type { Violation } from '@offstage/proto/field-rules'
import { isTerminal, JobState } from '../domain/job-state.ts'
import type { LabelFault } from '../domain/label-fault.ts'
import { invalidField } from '../refusals.ts'

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
