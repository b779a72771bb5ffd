/** What the database says of a start, as every other start tells it. */
import { status } from '@grpc/grpc-js'
import { helpUrlOf, isReason, REASONS } from '@offstage/proto/reasons'
import { SQL_STATES } from '@offstage/proto/sql-states'
import { paramsInvalid } from '../client/job-errors.ts'
import { OffstageError } from '../grpc/mod.ts'

const REASON_OF = new Map(
  Object.entries(SQL_STATES).map(([reason, state]) => [state as string, reason]),
)

/** Of what `jsonb` refuses: text that is no text of PostgreSQL, such as one with a NUL character. */
const NO_JSONB: ReadonlySet<unknown> = new Set(['22P02', '22P05'])

/** A refusal of offstage.start_job as an OffstageError with its reason; any other error as it is. */
export function errorFromSql(error: unknown, method: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  if (NO_JSONB.has(error.code)) {
    const description = `cannot be held by jsonb: ${error.message}`
    return paramsInvalid(method, [{ field: 'params', description }])
  }
  const reason = REASON_OF.get(String(error.code))
  if (reason === undefined || !isReason(reason)) return error
  const { field, reason: _, ...facts } = factsOf(error)
  return new OffstageError({
    code: status[REASONS[reason].code as keyof typeof status],
    reason,
    message: error.message,
    metadata: Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, `${value}`])),
    violations:
      reason === 'INVALID_FIELD' && typeof field === 'string'
        ? [{ field, description: error.message }]
        : [],
    helpUrl: helpUrlOf(reason),
    cause: error,
  })
}

/** JSON, where no proxy has changed it. */
function factsOf(error: Error): Record<string, unknown> {
  try {
    return 'detail' in error ? JSON.parse(String(error.detail)) : {}
  } catch {
    return {}
  }
}
