/** The jobs a filter selects, for statements that may have to look at very many: they are given up after a time limit. */
import { type Database, type Queryable, sqlStateOf } from '@offstage/kit/database'
import { JobKind } from '../domain/job-kind.ts'
import type { JobFilter, JobScope } from '../domain/job-query.ts'
import { JobState } from '../domain/job-state.ts'
import { spelledPoolInSql } from '../domain/pool.ts'

const LIMIT_MS = 5_000
const QUERY_CANCELED = '57014'

/** A condition in SQL over jobs `j` with the values of its parameters, to which others may be added. */
export interface Selection {
  readonly where: string
  /** Adds a parameter; its place. */
  add(value: unknown): string
  readonly values: readonly unknown[]
  /** Whether it has an index that leads to nothing but what it selects, and is to be read by one: else it would be told by the time that others have many such jobs. */
  readonly byIndex: boolean
  /** Whether the planner may walk down the ids; see {@link inOrder}. */
  readonly walksIds: boolean
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
    if (terms !== undefined) conditions.push(conditionOf(terms, scope, add, asOf))
  }
  const byIndex = scope.owner !== undefined && filter.some(isOwnedIndexed)
  const where = conditions.join('\n      AND ')
  return { where, add, values, byIndex, walksIds: walksIds(scope, filter) }
}

/**
 * What jobs are read from that are wanted in the order of their ids. The planner would walk down those for what very many jobs have, and read
 * them all where they are those of others: by one parent, or key, and owner it has an index in that order, by several not.
 *
 * @param jobs from where on
 */
export function inOrder({ walksIds }: Pick<Selection, 'walksIds'>, jobs: string): string {
  return walksIds ? jobs : `FROM (SELECT * ${jobs} OFFSET 0) j`
}

function walksIds({ owner }: JobScope, filter: JobFilter): boolean {
  const count = (field: string) =>
    filter.filter((term) => term.field === field && !('op' in term) && !term.not).length
  return owner === undefined || Math.max(count('parent'), count('key')) < 2
}

function isOwnedIndexed(term: JobFilter[number]): boolean {
  if ('op' in term || term.not) return false
  return (
    term.field === 'label' ||
    ((term.field === 'parent' || term.field === 'key') && term.value !== '')
  )
}

/** Terms of one kind are alternatives; bounds all hold, so that each is of its own. */
function kindOfTerm(term: JobFilter[number]): string {
  if ('op' in term) return `${term.field}${term.op}${'ms' in term ? term.ms : term.time.getTime()}`
  return `${term.not ? '-' : ''}${term.field}${term.field === 'label' ? `.${term.label}` : ''}`
}

function conditionOf(
  terms: JobFilter,
  scope: JobScope,
  add: Add,
  asOf: (add: Add) => string,
): string {
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
      const any = anySql(terms, scope, add)
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

function anySql(terms: JobFilter, scope: JobScope, add: Add): string {
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
      return `${spelledPoolInSql('j.pool')} = ANY (${add(values)}::text[])`
    case 'label': {
      return labelSql(first.label, values, scope, add)
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

/** `namespace/owner`, of which the first has no slash, over the labels: as the index jobs_owned_labels has it. */
const OF_OWNER = `j.namespace || '/' || j.owner`
const OWNED_LABELS = `jsonb_set(jsonb_object(ARRAY[${OF_OWNER}, '']), ARRAY[${OF_OWNER}], j.labels)`

function labelSql(
  label: string,
  values: readonly string[],
  { namespace, owner }: JobScope,
  add: Add,
): string {
  const [labels, whole] =
    owner === undefined
      ? ['j.labels', (value: string): object => ({ [label]: value })]
      : [OWNED_LABELS, (value: string) => ({ [`${namespace}/${owner}`]: { [label]: value } })]
  return values
    .map((value) => `${labels} @> ${add(JSON.stringify(whole(value)))}::jsonb`)
    .join(' OR ')
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

/**
 * Undefined when it took longer than the limit.
 *
 * @param byIndex as a selection says
 */
export async function withinTime<T>(
  database: Database,
  limitMs = LIMIT_MS,
  read: (tx: Queryable) => Promise<T>,
  byIndex = false,
): Promise<T | undefined> {
  let begunMs = 0
  try {
    return await database.transaction(async (tx) => {
      await tx.query({ name: '', text: `SET LOCAL statement_timeout = ${limitMs}` })
      if (byIndex) await tx.query({ name: '', text: 'SET LOCAL enable_seqscan = off' })
      begunMs = performance.now()
      return await read(tx)
    })
  } catch (error) {
    if (hasTakenLong(error, begunMs, limitMs)) return undefined
    throw error
  }
}

/** PostgreSQL says the same of a statement that somebody else has canceled, before its time was up. */
function hasTakenLong(error: unknown, begunMs: number, limitMs: number): boolean {
  return sqlStateOf(error) === QUERY_CANCELED && performance.now() - begunMs >= limitMs
}

/** The same within a transaction, which goes on. */
export async function unlessSlow<T>(
  tx: Queryable,
  limitMs: number,
  read: () => Promise<T>,
): Promise<T | undefined> {
  await tx.query({ name: '', text: 'SAVEPOINT unless_slow' })
  await tx.query({ name: '', text: `SET LOCAL statement_timeout = ${limitMs}` })
  const begunMs = performance.now()
  try {
    return await read()
  } catch (error) {
    if (!hasTakenLong(error, begunMs, limitMs)) throw error
    await tx.query({ name: '', text: 'ROLLBACK TO SAVEPOINT unless_slow' })
    return undefined
  }
}
