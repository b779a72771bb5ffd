/**
 * The SQLSTATEs that `offstage.start_job` and `offstage.lock_in_transaction` refuse with, by their reasons, one each: a class of its own. What PostgreSQL itself finds has its
 * own states. The function has them in its migrations; sql-start-options.test.ts of the scheduler compares.
 */
import type { Reason } from './reasons.ts'

export const SQL_STATES = {
  INVALID_FIELD: 'OS001',
  PARAMS_TOO_LARGE: 'OS002',
  METHOD_UNKNOWN: 'OS003',
  METHOD_NOT_STARTABLE: 'OS004',
  METHOD_UNREADABLE: 'OS005',
  NAMESPACE_NOT_FOUND: 'OS006',
  PERMISSION_DENIED: 'OS007',
  JOB_KEY_TAKEN: 'OS008',
  REQUEST_ID_REUSED: 'OS009',
  QUEUE_FULL: 'OS010',
  NOT_IMPLEMENTED: 'OS011',
  LOCK_TAKEN: 'OS012',
  NAMESPACE_EXCLUSIVE: 'OS013',
} as const satisfies Partial<Record<Reason, string>>
