/**
 * The SQLSTATEs that `offstage.start_job` refuses starts with, by their reasons: a class of its own. What PostgreSQL itself finds has its
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
  NAMESPACE_EXCLUSIVE: 'OS012',
} as const satisfies Partial<Record<Reason, string>>
