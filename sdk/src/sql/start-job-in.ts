import { checkParamsList, checkTarget } from '../client/check-arguments.ts'
import type { CallArguments } from '../client/job-calls.ts'
import { paramsInvalid } from '../client/job-errors.ts'
import { codecOf, labelsFor, methodOf, type StartTarget } from '../client/job-spec.ts'
import { closeUnread, isByteStream } from '../jobs/byte-stream.ts'
import { checkValue } from '../jobs/check-value.ts'
import { formatOf, isWrapping } from '../jobs/codec.ts'
import type { JobMethod, ParamsOf } from '../jobs/method.ts'
import { NotEncodableError } from '../jobs/not-encodable.ts'
import { jsonText } from '../jobs/payload.ts'
import { errorFromSql } from './error-from-sql.ts'
import type { SqlClient } from './sql-client.ts'
import {
  checkManySqlOptions,
  checkSqlOptions,
  namespaceOf,
  type SqlStartManyOptions,
  type SqlStartOptions,
  sqlOptions,
} from './sql-options.ts'

const START = 'SELECT offstage.start_job($1, $2, $3::jsonb, $4::jsonb) AS id'
const START_MANY =
  'SELECT offstage.start_jobs($1, $2, $3::text[]::jsonb[], $4::text[]::jsonb[]) AS ids'
/** Of one call of offstage.start_jobs. */
const JOBS_MAX = 1_000

/**
 * Starts a job inside the transaction that is under way on `client`: it exists exactly if that commits, and begins then. Resolves to
 * its id, for `offstage.job(id)`. As with any statement that fails, a refusal leaves a transaction that can only be rolled back,
 * to a savepoint at least.
 *
 * @throws OffstageError with the refusal's reason, as `startJob` does, its cause the error of the client; the client's own error
 *   where it is none of Offstage.
 */
export function startJobIn<P, R, I>(
  client: SqlClient,
  job: JobMethod<P, R, I>,
  ...rest: CallArguments<I, SqlStartOptions>
): Promise<string>
export function startJobIn(
  client: SqlClient,
  method: string,
  params?: unknown,
  options?: SqlStartOptions,
): Promise<string>
export function startJobIn<M extends JobMethod>(
  client: SqlClient,
  method: string,
  ...rest: CallArguments<ParamsOf<M>, SqlStartOptions>
): Promise<string>
export async function startJobIn(
  client: SqlClient,
  target: StartTarget,
  params?: unknown,
  options: SqlStartOptions = {},
): Promise<string> {
  checkTarget(target)
  checkCodec(target)
  checkSqlOptions(options)
  const text = await paramsText(target, params)
  const asked = sqlOptions(options, labelsFor(target, params, options.labels))
  const values = [namespaceOf(options), methodOf(target), text, asked]
  const [row] = await ask<{ id: string }>(client, target, START, values)
  if (row === undefined) throw new Error('the database answered a start without an id')
  return row.id
}

/**
 * Starts a job for each of the parameters, as {@link startJobIn} does, a thousand by a statement; ids in the order of `paramsList`.
 * One that is refused refuses all, as the transaction does.
 */
export function startJobsIn<P, R, I>(
  client: SqlClient,
  job: JobMethod<P, R, I>,
  paramsList: readonly I[],
  options?: SqlStartManyOptions<I>,
): Promise<string[]>
export function startJobsIn(
  client: SqlClient,
  method: string,
  paramsList: readonly unknown[],
  options?: SqlStartManyOptions,
): Promise<string[]>
export async function startJobsIn<I>(
  client: SqlClient,
  target: StartTarget,
  paramsList: readonly I[],
  options: SqlStartManyOptions<I> = {},
): Promise<string[]> {
  checkTarget(target)
  checkCodec(target)
  checkParamsList(paramsList)
  checkManySqlOptions(options)
  const { each, ...common } = options
  const ids: string[] = []
  for (let from = 0; from < paramsList.length; from += JOBS_MAX) {
    const list = paramsList.slice(from, from + JOBS_MAX)
    const texts = await Promise.all(list.map((params) => paramsText(target, params)))
    const asked = list.map((params, index) => {
      const own = each?.(params, from + index)
      if (own !== undefined) checkSqlOptions(own)
      const all = { ...common, ...own }
      return sqlOptions(all, labelsFor(target, params, all.labels))
    })
    const values = [namespaceOf(options), methodOf(target), texts, asked]
    const [row] = await ask<{ ids: string[] }>(client, target, START_MANY, values)
    ids.push(...(row?.ids ?? []))
  }
  return ids
}

/** What is wrapped is meant to be, as where it is encrypted: it is not written down in clear. */
function checkCodec(target: StartTarget): void {
  const codec = codecOf(target)
  if (formatOf(codec) === 'json' && !isWrapping(codec)) return
  throw new TypeError(
    `${methodOf(target)} has a codec, and by SQL parameters are plain JSON: start it with startJob`,
  )
}

/** Checked by the definition, as before any other start; null where there are none. */
async function paramsText(target: StartTarget, params: unknown): Promise<string | null> {
  const method = methodOf(target)
  if (isByteStream(params)) {
    closeUnread(params)
    const description = 'is a stream: by SQL parameters are JSON; put it, and pass the address'
    throw paramsInvalid(method, [{ field: 'params', description }])
  }
  if (typeof target !== 'string' && target.params !== undefined) {
    const checked = await checkValue(target.params, params, 'params')
    if (checked.kind === 'invalid') throw paramsInvalid(method, checked.violations)
  }
  if (ArrayBuffer.isView(params) || params instanceof ArrayBuffer) {
    throw paramsInvalid(method, [
      { field: 'params', description: 'are bytes: by SQL they are JSON' },
    ])
  }
  try {
    return jsonText(params) ?? null
  } catch (error) {
    if (!(error instanceof NotEncodableError)) throw error
    const field = error.path === '' ? 'params' : `params.${error.path}`
    throw paramsInvalid(method, [{ field, description: error.problem }])
  }
}

async function ask<Row>(
  client: SqlClient,
  target: StartTarget,
  text: string,
  values: unknown[],
): Promise<Row[]> {
  try {
    return (await client.query(text, values)).rows as Row[]
  } catch (error) {
    throw errorFromSql(error, methodOf(target))
  }
}
