/**
 * Why a call was refused: the closed list of reasons carried in `google.rpc.ErrorInfo` with the
 * domain {@link ERROR_DOMAIN}. Callers branch on the reason; texts may change. `docs/errors.md`
 * explains each one under an anchor of the same name in lower case.
 */

/** `google.rpc.ErrorInfo.domain` of every refusal of Offstage. */
export const ERROR_DOMAIN = 'offstage'

/** Where the pages of `docs` are published: the one place to say so. Their home is still to be decided; until then the links lead nowhere. */
export const DOCS_URL = 'https://offstage.example/docs/'

export interface ReasonSpec {
  /** Name of the gRPC status code that goes with the reason. */
  readonly code: string
  /** Whether the same idempotent call may succeed later without anything being changed in it. */
  readonly retry: boolean
  /** One line for people. */
  readonly about: string
}

export const REASONS = {
  // The request itself
  INVALID_FIELD: {
    code: 'INVALID_ARGUMENT',
    retry: false,
    about: 'A field of the request is missing or malformed; the violations name it.',
  },
  METHOD_UNKNOWN: {
    code: 'NOT_FOUND',
    retry: false,
    about: 'No executor has announced this method in the namespace.',
  },
  METHOD_NOT_STARTABLE: {
    code: 'PERMISSION_DENIED',
    retry: false,
    about: 'The method says who may start it, and the caller is none of them.',
  },
  METHOD_FOREGROUND_ONLY: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'The method cannot run in the background.',
  },
  EXECUTOR_SESSION_NOT_FOUND: {
    code: 'NOT_FOUND',
    retry: false,
    about: 'The caller has no such session attached that runs the method in the foreground.',
  },
  METHOD_UNREADABLE: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'What is stored of the method was written by a newer release, or by hand.',
  },
  PARAMS_INVALID: {
    code: 'INVALID_ARGUMENT',
    retry: false,
    about: 'The parameters do not fit the schema of the method; the violations name the fields.',
  },
  LIMIT_KEY_INVALID: {
    code: 'INVALID_ARGUMENT',
    retry: false,
    about: 'The key expression of the limits of the method has no value for this start.',
  },
  LABEL_INVALID: {
    code: 'INVALID_ARGUMENT',
    retry: false,
    about: 'A label that the definition of the method makes has no value for this start.',
  },
  PARAMS_TOO_LARGE: {
    code: 'INVALID_ARGUMENT',
    retry: false,
    about: 'The serialized parameters are over the limit, even by way of temp storage.',
  },
  PAGE_TOKEN_INVALID: {
    code: 'INVALID_ARGUMENT',
    retry: false,
    about: 'The page token is malformed or belongs to another request.',
  },
  FILTER_INVALID: {
    code: 'INVALID_ARGUMENT',
    retry: false,
    about: 'The filter cannot be parsed or names an unknown field.',
  },
  REQUEST_ID_REUSED: {
    code: 'ALREADY_EXISTS',
    retry: false,
    about: 'The request id was used before for a different request.',
  },
  PARENT_HAS_ENDED: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'Nothing can be attached to a job that has ended.',
  },
  MESSAGE_TOO_LARGE: {
    code: 'RESOURCE_EXHAUSTED',
    retry: false,
    about: 'One gRPC message is over the size limit of the sender or the receiver.',
  },
  NOT_IMPLEMENTED: {
    code: 'UNIMPLEMENTED',
    retry: false,
    about: 'The server does not know this call or this option of it.',
  },
  WRONG_SERVICE: {
    code: 'UNIMPLEMENTED',
    retry: false,
    about:
      'Another service of Offstage answers at this address; the text says which and which was meant.',
  },

  // Jobs and namespaces
  JOB_NOT_FOUND: {
    code: 'NOT_FOUND',
    retry: false,
    about: 'There is no such job, or the caller may not see it.',
  },
  JOB_KEY_TAKEN: {
    code: 'ALREADY_EXISTS',
    retry: false,
    about:
      'An unfinished job holds the key; the metadata names it, its owner and its age where the caller may see it.',
  },
  JOB_ALREADY_FINISHED: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'The job is in a terminal state, so the change asked for is no longer possible.',
  },
  JOB_NOT_FINISHED: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'The job has not ended, and what was asked for is for jobs that have.',
  },
  JOB_NOT_RETRYABLE: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'Only failed and canceled jobs are started anew, and this one is neither.',
  },
  NAMESPACE_NOT_FOUND: {
    code: 'NOT_FOUND',
    retry: false,
    about: 'There is no such namespace, or the caller may not see it.',
  },
  NAMESPACE_EXCLUSIVE: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about:
      'Somebody has the namespace exclusively; the metadata tells who, since when and until when at least.',
  },
  NAMESPACE_BUSY: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'Jobs of others still ran when exclusive mode was to begin; the metadata names them.',
  },
  LOCK_TAKEN: {
    code: 'ABORTED',
    retry: false,
    about: 'Somebody else holds the data lock; the metadata names the holder.',
  },
  LOCK_DEADLOCK: {
    code: 'ABORTED',
    retry: false,
    about: 'To wait for the data lock would never end, since what holds it waits for the caller.',
  },
  JOB_NOT_RUNNING: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'A data lock is bound to a running attempt of a job, and this one does not run.',
  },
  LEASE_NOT_FOUND: {
    code: 'NOT_FOUND',
    retry: false,
    about: 'There is no such lease, or it has run out or was ended.',
  },
  SCHEDULE_NOT_FOUND: {
    code: 'NOT_FOUND',
    retry: false,
    about: 'There is no such schedule, or the caller may not see it.',
  },
  SCHEDULE_ID_TAKEN: {
    code: 'ALREADY_EXISTS',
    retry: false,
    about: 'The namespace already has a schedule of this id.',
  },
  SCHEDULE_VERSION_REUSED: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'The code declares a schedule in another way under the version that was applied before.',
  },
  SCHEDULE_UNREADABLE: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'What is stored of the schedule was written by a newer release, or by hand.',
  },
  SCHEDULES_FULL: {
    code: 'RESOURCE_EXHAUSTED',
    retry: false,
    about: 'The namespace has as many schedules as it may have.',
  },
  ETAG_MISMATCH: {
    code: 'ABORTED',
    retry: false,
    about: 'The record was changed since it was read; read it again and decide anew.',
  },
  SESSION_FENCED: {
    code: 'ABORTED',
    retry: false,
    about: 'The executor session lost its lease; what it still runs must stop.',
  },
  SESSION_UNKNOWN: {
    code: 'NOT_FOUND',
    retry: false,
    about: 'The executor session does not exist (any more); attach anew.',
  },

  // Limits
  QUEUE_FULL: {
    code: 'RESOURCE_EXHAUSTED',
    retry: true,
    about: 'As many jobs wait to begin as the limit on the queue allows.',
  },
  TOO_MANY_WAITERS: {
    code: 'RESOURCE_EXHAUSTED',
    retry: true,
    about: 'As many jobs are waited for or watched at this replica as it can follow.',
  },
  OVERLOADED: {
    code: 'RESOURCE_EXHAUSTED',
    retry: true,
    about: 'The service has more work in hand than it can take; RetryInfo says when to come back.',
  },
  TOO_MANY_CALLS: {
    code: 'RESOURCE_EXHAUSTED',
    retry: true,
    about: 'The caller has as many calls open on this process as one caller may have.',
  },
  RATE_LIMITED: {
    code: 'RESOURCE_EXHAUSTED',
    retry: true,
    about: 'The owner starts more jobs a second than one owner may.',
  },
  SLOW_SENDER: {
    code: 'RESOURCE_EXHAUSTED',
    retry: true,
    about: 'A message of the caller was not whole in time; send faster, or less at a time.',
  },
  SLOW_READER: {
    code: 'RESOURCE_EXHAUSTED',
    retry: true,
    about: 'The answers of a stream were not read in time, so it was ended.',
  },
  QUOTA_EXCEEDED: {
    code: 'RESOURCE_EXHAUSTED',
    retry: false,
    about: 'The namespace or the user has used up its quota.',
  },
  STORAGE_FULL: {
    code: 'RESOURCE_EXHAUSTED',
    retry: false,
    about: 'Temp storage has no room for the value.',
  },

  // Temp storage
  VALUE_NOT_FOUND: {
    code: 'NOT_FOUND',
    retry: false,
    about: 'The address holds no value: never written, deleted or expired.',
  },
  PAYLOAD_HIDDEN: {
    code: 'PERMISSION_DENIED',
    retry: false,
    about: 'The caller may see the job and not what it was given or what came of it.',
  },
  RESULT_REPLACED: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'A later run put its result in the place of this one. Set by the client.',
  },
  RESULT_UNREADABLE: {
    code: 'DATA_LOSS',
    retry: false,
    about: 'What the job left is not the JSON or CBOR it says it is. Set by the client.',
  },
  CODEC_UNKNOWN: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'The value was wrapped by a codec that is not known where it is read.',
  },
  CODEC_FAILED: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'A wrapper of the codec cannot wrap or unwrap the value.',
  },
  SCOPE_NOT_FOUND: { code: 'NOT_FOUND', retry: false, about: 'There is no such scope.' },
  SCOPE_CLOSED: {
    code: 'FAILED_PRECONDITION',
    retry: false,
    about: 'The scope is closed; its values are gone.',
  },
  VALUE_TOO_LARGE: {
    code: 'INVALID_ARGUMENT',
    retry: false,
    about: 'The value is over the size limit of the service.',
  },
  CHECKSUM_MISMATCH: {
    code: 'DATA_LOSS',
    retry: true,
    about: 'The bytes that came do not have the SHA-256 announced for them.',
  },
  VALUE_DAMAGED: {
    code: 'DATA_LOSS',
    retry: false,
    about: 'The bytes stored are not those that were put, or are gone: the disk is damaged.',
  },
  UPLOAD_NOT_FOUND: {
    code: 'NOT_FOUND',
    retry: false,
    about: 'There is no such unfinished upload; start it again.',
  },
  OFFSET_INVALID: {
    code: 'OUT_OF_RANGE',
    retry: false,
    about: 'The offset lies beyond the value, or is not where the upload stands.',
  },

  // Rights
  TOKEN_MISSING: {
    code: 'UNAUTHENTICATED',
    retry: false,
    about: 'The call brings no token, and this service takes no call without one.',
  },
  TOKEN_EXPIRED: {
    code: 'UNAUTHENTICATED',
    retry: false,
    about: 'The time of the token is over.',
  },
  TOKEN_NOT_YET_VALID: {
    code: 'UNAUTHENTICATED',
    retry: false,
    about: 'The time of the token has not begun.',
  },
  TOKEN_WRONG_AUDIENCE: {
    code: 'UNAUTHENTICATED',
    retry: false,
    about: 'The token is meant for another service.',
  },
  TOKEN_INVALID: {
    code: 'UNAUTHENTICATED',
    retry: false,
    about: 'The token is not one that this service takes.',
  },
  TOKEN_NO_NAMESPACE: {
    code: 'UNAUTHENTICATED',
    retry: false,
    about: 'The token is good and allows no namespace at all.',
  },
  ATTEMPT_TOKEN_ENDED: {
    code: 'UNAUTHENTICATED',
    retry: false,
    about: 'The attempt that the token is for has ended, or is another one by now.',
  },
  ATTEMPT_NOT_HELD: {
    code: 'NOT_FOUND',
    retry: false,
    about: 'The executor session does not run this attempt, or no longer.',
  },
  RIGHTS_CHANGED: {
    code: 'UNAVAILABLE',
    retry: true,
    about: 'What the caller may do has changed while a stream was open, so it was ended.',
  },
  IDENTITY_UNAVAILABLE: {
    code: 'UNAVAILABLE',
    retry: true,
    about: 'The keys that verify the token cannot be had at the moment.',
  },
  TOKEN_UNAVAILABLE: {
    code: 'UNAUTHENTICATED',
    retry: false,
    about: 'The token function or the token file gave no token. Set by the client.',
  },
  UNAUTHENTICATED: {
    code: 'UNAUTHENTICATED',
    retry: false,
    about: 'The call brings no valid token.',
  },
  ATTACH_NOT_ALLOWED: {
    code: 'PERMISSION_DENIED',
    retry: false,
    about: 'The executor may not announce these methods; its grant names others.',
  },
  PERMISSION_DENIED: {
    code: 'PERMISSION_DENIED',
    retry: false,
    about: 'The caller is known but may not do this.',
  },

  // Circumstances
  DATABASE_UNAVAILABLE: {
    code: 'UNAVAILABLE',
    retry: true,
    about: 'The service cannot reach its PostgreSQL at the moment.',
  },
  STORAGE_UNAVAILABLE: {
    code: 'UNAVAILABLE',
    retry: true,
    about: 'Temp storage cannot be reached at the moment.',
  },
  SERVICE_UNREACHABLE: {
    code: 'UNAVAILABLE',
    retry: true,
    about: 'No connection to the service, or it broke during the call. Set by the client.',
  },
  SHUTTING_DOWN: {
    code: 'UNAVAILABLE',
    retry: true,
    about: 'This process is stopping; another replica, or its successor, will answer.',
  },
  DEADLINE_EXCEEDED: {
    code: 'DEADLINE_EXCEEDED',
    retry: false,
    about: 'The call did not finish before the deadline its caller set.',
  },
  CANCELLED: { code: 'CANCELLED', retry: false, about: 'The caller cancelled the call.' },
  INTERNAL: {
    code: 'INTERNAL',
    retry: false,
    about: 'An unexpected fault; the log of the service has the cause under the trace id.',
  },
} as const satisfies Record<string, ReasonSpec>

/** Which deadline it was that ended an attempt or a job (row J17): the `reason` of its error, not that of a call. */
export const DEADLINE_REASONS = {
  queue: 'QUEUE_DEADLINE_EXCEEDED',
  attempt: 'ATTEMPT_DEADLINE_EXCEEDED',
  total: 'TOTAL_DEADLINE_EXCEEDED',
  heartbeat: 'HEARTBEAT_DEADLINE_EXCEEDED',
} as const

/** A reason Offstage gives for refusing a call. */
export type Reason = keyof typeof REASONS

/** Where the reason is explained, what to do included: what errors carry in `google.rpc.Help`. */
export function helpUrlOf(reason: Reason): string {
  return `${DOCS_URL}errors.md#${reason.toLowerCase()}`
}

/** Narrows a text from the wire; a newer server may send reasons this version does not know. */
export function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text)
}
