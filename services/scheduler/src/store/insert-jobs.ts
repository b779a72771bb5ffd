import { type Queryable, type Statement, sqlStateOf } from '@offstage/kit/database'
import type { NewJob } from '../domain/held-job.ts'
import type { JobState } from '../domain/job-state.ts'
import {
  INSERT,
  INSERT_ATTACHED,
  INSERT_ATTACHED_WITHIN_LIMITS,
  INSERT_PLAIN,
  INSERT_PLAIN_LIMITED,
  INSERT_WITHIN_LIMITS,
} from './insert-jobs-sql.ts'
import { COMMON, firstState, restOf } from './start-columns.ts'

interface InsertedRow {
  id: string
  state: JobState
}

export async function insertJobs(
  database: Queryable,
  jobs: readonly NewJob[],
  gateEpoch: number | undefined,
  behindKey = false,
): Promise<Map<string, JobState>> {
  if (jobs.some(concernsLimits)) return insertLimited(database, jobs, gateEpoch, behindKey)
  const columns = COMMON.map(({ of }) => jobs.map(of))
  const rests = jobs.map((job) => restOf(job, behindKey))
  if (isPlain(jobs, gateEpoch) && rests.every((rest) => rest === null)) {
    const rows = await insertPlain(database, INSERT_PLAIN, [...columns, gateEpoch])
    if (rows !== undefined) return new Map(jobs.map((job) => [job.id, firstState(job)]))
  }
  const values = [...columns, rests, parentsOf(jobs), gateEpoch, ownersOfParents(jobs)]
  const statement = jobs.some(isAttached) ? INSERT_ATTACHED : INSERT
  const { rows } = await database.query<InsertedRow>(statement, values)
  return statesFrom(rows)
}

/** A plain start goes by gates that are known: one that somebody may be kept out by is looked at by the careful statement. */
function isPlain(jobs: readonly NewJob[], gateEpoch: number | undefined): boolean {
  return gateEpoch !== undefined && !jobs.some(({ inExclusive }) => inExclusive)
}

/** What limits are about is in columns of its own here. */
async function insertLimited(
  database: Queryable,
  jobs: readonly NewJob[],
  gateEpoch: number | undefined,
  behindKey: boolean,
): Promise<Map<string, JobState>> {
  const columns = COMMON.map(({ of }) => jobs.map(of))
  const within = jobs.map(({ withinLimits }) => withinLimits ?? null)
  const keys = jobs.map(({ command }) => command.limitKey ?? null)
  const alone = (job: NewJob) => restOf(withoutLimitKey(job), behindKey) === null
  if (isPlain(jobs, gateEpoch) && jobs.every(alone)) {
    const values = [...columns, gateEpoch, within, keys]
    const rows = await insertPlain(database, INSERT_PLAIN_LIMITED, values)
    if (rows !== undefined) return statesFrom(rows)
  }
  const rests = jobs.map((job) => restOf(job, behindKey))
  const careful = [...columns, rests, parentsOf(jobs), gateEpoch, ownersOfParents(jobs)]
  const values = [...careful, within, keys]
  const statement = jobs.some(isAttached) ? INSERT_ATTACHED_WITHIN_LIMITS : INSERT_WITHIN_LIMITS
  const { rows } = await database.query<InsertedRow>(statement, values)
  return statesFrom(rows)
}

/** Undefined when one of the ids exists already, or the gates have changed: then none was inserted. */
async function insertPlain(
  database: Queryable,
  statement: Statement,
  values: unknown[],
): Promise<readonly InsertedRow[] | undefined> {
  try {
    const { rows, rowCount } = await database.query<InsertedRow>(statement, values)
    return rowCount > 0 ? rows : undefined
  } catch (error) {
    if (sqlStateOf(error) === '23505') return undefined
    throw error
  }
}

function isAttached({ command }: NewJob): boolean {
  return command.isAttached === true
}

function concernsLimits({ withinLimits, command }: NewJob): boolean {
  return withinLimits === true || command.limitKey !== undefined
}

function withoutLimitKey(job: NewJob): NewJob {
  const { command } = job
  return command.limitKey === undefined
    ? job
    : { ...job, command: { ...command, limitKey: undefined } }
}

function parentsOf(jobs: readonly NewJob[]): string[] {
  const parents = new Set(jobs.map(({ command }) => command.parentId))
  parents.delete('')
  return [...parents]
}

/** Of jobs of others nothing is read or locked; null where somebody may start children of anybody's. */
function ownersOfParents(jobs: readonly NewJob[]): string[] | null {
  const children = jobs.filter(({ command }) => command.parentId !== '')
  if (children.some(({ command }) => command.admin)) return null
  return [...new Set(children.map(({ command }) => command.owner))]
}

function statesFrom(rows: readonly InsertedRow[]): Map<string, JobState> {
  return new Map(rows.map((row) => [row.id, row.state]))
}
