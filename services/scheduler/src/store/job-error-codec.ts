/** What `jobs.error` holds. SQL reads `brief` of it (end-attempts.ts, leases.ts). */
import type { JobError } from '../domain/job.ts'
import { createShape, flag, required, text } from './stored-shape.ts'

const ERROR = createShape<JobError>('job errors', 1, {
  brief: required(text),
  detail: required(text),
  reason: required(text),
  retryable: required(flag),
})

export function errorToJson(error: JobError | undefined): string | null {
  return error === undefined ? null : JSON.stringify(ERROR.write(error))
}

export function errorFromStored(stored: unknown): JobError | undefined {
  return stored === null ? undefined : ERROR.read(stored)
}

/** SQL for an error the database finds itself; `brief` is an expression of type text. */
export const errorInSql = (brief: string, reason: string) => `jsonb_build_object(
        'v', 1, 'brief', ${brief}, 'detail', '', 'reason', '${reason}', 'retryable', false)`
