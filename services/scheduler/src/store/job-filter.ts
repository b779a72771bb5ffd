/** The jobs a filter selects, for statements that may have to look at very many: they are given up after a time limit. */
import { type Database, type Queryable, sqlStateOf } from '@offstage/kit/database'
import { JobKind } from '../domain/job-kind.ts'
import type { JobFilter, JobScope } from '../domain/job-query.ts'
import { JobState } from '../domain/job-state.ts'
import { spelledPool } from '../domain/pool.ts'

const LIMIT_MS = 5_000
const QUERY_CANCELED = '57014'

/** A condition in SQL over jobs `j` with the values of its parameters, to which others may be added. */
export interface Selection {
  readonly where: string
  /** Adds a parameter; its place. */
  add(value: unknown): string
  readonly values: readonly unknown[]
}

type Add = (value: unknown) => string
const NOW = () => 'now()'

/**
 * What is not asked for is not in the statement, so that it is planned for what it is about.
 *
 * @param asOf SQL for the time that ages count back from
 */
export function selecting(
  scope: JobScope,
  filter: JobFilter,
  asOf: (add: Add) => string = NOW,
): Selection {
  const values: unknown[] = []
  const add = (value: unknown) => `$${values.push(value)}`
  const conditions = [`j.namespace = ${add(scope.namespace)}`]
  if (scope.owner !== undefined) conditions.push(`j.owner = ${add(scope.owner)}`)
  const alike = Object.values(Object.groupBy(filter, kindOfTerm))
  for (const terms of alike) {
    if (terms !== undefined) conditions.push(conditionOf(terms, add, asOf))
  }
  return { where: conditions.join('\n      AND '), add, values }
}

/** Terms of one kind are alternatives; bounds all hold, so that each is of its own. */
function kindOfTerm(term: JobFilter[number]): string {
  if ('op' in term) return `${term.field}${term.op}${'ms' in term ? term.ms : term.time.getTime()}`
  return `${term.not ? '-' : ''}${term.field}${term.field === 'label' ? `.${term.label}` : ''}`
}

function conditionOf(terms: JobFilter, add: Add, asOf: (add: Add) => string): string {
  const [first] = terms
  if (first === undefined) return 'true'
  switch (first.field) {
    case 'age':
      return boundSql('j.create_time', first, add, asOf(add))
    case 'ended':
      return boundSql('j.finish_time', first, add, asOf(add))
    case 'created':
      return `j.create_time ${first.op} ${add(first.time)}::timestamptz`
    default: {
      const any = anySql(terms, add)
      // What has no such column has not that value either.
      return first.not ? `(${any}) IS NOT TRUE` : `(${any})`
    }
  }
}

/** Less than so long ago is after, more is before. */
function boundSql(
  column: string,
  { op, ms }: { readonly op: '<' | '>'; readonly ms: number },
  add: Add,
  asOf: string,
): string {
  return `${column} ${op === '<' ? '>' : '<'} ${asOf} - ${add(ms)}::float8 * interval '1 ms'`
}

function anySql(terms: JobFilter, add: Add): string {
  const values = terms.flatMap((term) => ('value' in term ? [term.value] : []))
  const [first] = terms
  switch (first?.field) {
    case 'state':
      return `j.state IN (${values.map((name) => JobState[name as keyof typeof JobState]).join(', ')})`
    case 'kind':
      return `j.kind IN (${values.map((name) => JobKind[name as keyof typeof JobKind]).join(', ')})`
    case 'method':
      return methodSql(values, add)
    case 'key':
      return equalSql('j.key', 'text', values, '', add)
    case 'parent':
      return equalSql('j.parent_id', 'uuid', values, '', add)
    case 'pool':
      return equalSql('j.pool', 'text', values, spelledPool(''), add)
    case 'label': {
      const { label } = first
      const has = (value: string) => `j.labels @> ${add(JSON.stringify({ [label]: value }))}::jsonb`
      return values.map(has).join(' OR ')
    }
    default:
      return equalSql('j.owner', 'text', values, undefined, add)
  }
}

/** `absent` stands for NULL. */
function equalSql(
  column: string,
  type: string,
  values: readonly string[],
  absent: string | undefined,
  add: Add,
): string {
  const present = values.filter((value) => value !== absent)
  const parts: string[] = []
  // One alone leaves an index in its order.
  if (present.length === 1) parts.push(`${column} = ${add(present[0])}::${type}`)
  else if (present.length > 1) parts.push(`${column} = ANY (${add(present)}::${type}[])`)
  if (present.length < values.length) parts.push(`${column} IS NULL`)
  return parts.join(' OR ')
}

function methodSql(values: readonly string[], add: Add): string {
  const exact = values.filter((value) => !value.includes('*'))
  const patterns = values.filter((value) => value.includes('*'))
  const parts = exact.length > 0 ? [`j.method = ANY (${add(exact)}::text[])`] : []
  for (const pattern of patterns) {
    parts.push(`j.method LIKE ${add(pattern.replace(/_/g, '\\_').replace(/\*+/g, '%'))}`)
  }
  return parts.join(' OR ')
}

/** Undefined when it took longer than the limit. */
export async function withinTime<T>(
  database: Database,
  limitMs = LIMIT_MS,
  read: (tx: Queryable) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await database.transaction(async (tx) => {
      await tx.query({ name: '', text: `SET LOCAL statement_timeout = ${limitMs}` })
      return await read(tx)
    })
  } catch (error) {
    if (sqlStateOf(error) === QUERY_CANCELED) return undefined
    throw error
  }
}

/** The same within a transaction, which goes on. */
export async function unlessSlow<T>(
  tx: Queryable,
  limitMs: number,
  read: () => Promise<T>,
): Promise<T | undefined> {
  await tx.query({ name: '', text: 'SAVEPOINT unless_slow' })
  await tx.query({ name: '', text: `SET LOCAL statement_timeout = ${limitMs}` })
  try {
    return await read()
  } catch (error) {
    if (sqlStateOf(error) !== QUERY_CANCELED) throw error
    await tx.query({ name: '', text: 'ROLLBACK TO SAVEPOINT unless_slow' })
    return undefined
  }
}
