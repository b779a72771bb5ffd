/** Which jobs a bulk job is about: those its filter selects, of the states that its verb can be done to, created before it. */
import type { Database } from '@offstage/kit/database'
import type { BulkJob, BulkTarget, BulkVerb } from '../domain/bulk-job.ts'
import type { JobFilter, JobScope } from '../domain/job-query.ts'
import { JobState, leaving } from '../domain/job-state.ts'
import type { JobSelection } from '../ports/bulk.ts'
import { inOrder, type Selection, selecting, withinTime } from './job-filter.ts'

const OF_VERB: Readonly<Record<BulkVerb, string>> = {
  cancel: `j.state < ${JobState.succeeded} AND j.cancel_time IS NULL`,
  retry: leaving('startAnew', 'j.state'),
  delete: `j.state >= ${JobState.succeeded}`,
}

/** Ages count back from when the job was asked for, so that it selects the same however long it takes. */
export function selectingTargets(bulk: BulkJob): Selection {
  const created = (add: (value: unknown) => string) =>
    `(SELECT self.create_time FROM offstage.jobs self WHERE self.id = ${add(bulk.id)}::uuid)`
  const scope = { namespace: bulk.namespace, owner: bulk.ownerOnly }
  const { where, ...selection } = selecting(scope, bulk.filter, created)
  const { add } = selection
  const itself = `j.id <> ${add(bulk.id)}::uuid AND j.create_time < ${created(add)}`
  return { ...selection, where: `${where} AND ${OF_VERB[bulk.verb]} AND ${itself}` }
}

/** The next ones, newest first. Reads on until there are as many, which of a rare kind among very many may take seconds. */
export async function readTargets(
  listings: Database,
  bulk: BulkJob,
  limit: number,
): Promise<BulkTarget[]> {
  const selection = selectingTargets(bulk)
  const { where, add, values } = selection
  const below = bulk.beforeId === undefined ? '' : `AND j.id < ${add(bulk.beforeId)}::uuid`
  const targets = `FROM offstage.jobs j WHERE ${where} ${below}`
  const text = `
    SELECT j.id, j.method ${inOrder(selection, targets)}
    ORDER BY j.id DESC LIMIT ${add(limit)}::int`
  return (await listings.query<{ id: string; method: string }>({ name: '', text }, values)).rows
}

/** Undefined when it took too long. */
export function countTargets(listings: Database, bulk: BulkJob): Promise<number | undefined> {
  const { where, values, byIndex } = selectingTargets(bulk)
  const text = `SELECT count(*)::int8 AS count FROM offstage.jobs j WHERE ${where}`
  return withinTime(
    listings,
    undefined,
    async (tx) => {
      const { rows } = await tx.query<{ count: number }>({ name: '', text }, values)
      return rows[0]?.count ?? 0
    },
    byIndex,
  )
}

/** Counting ends here; as the proto says. */
export const COUNT_MAX = 1_000_000
const SAMPLE = 10

/** What a verb would be done to now; undefined when it took too long. */
export function previewTargets(
  listings: Database,
  scope: JobScope,
  verb: BulkVerb,
  filter: JobFilter,
  limitMs?: number,
): Promise<JobSelection | undefined> {
  const selection = selecting(scope, filter)
  const { where, add, values, byIndex } = selection
  const targets = `FROM offstage.jobs j WHERE ${where} AND ${OF_VERB[verb]}`
  const text = `
    SELECT (SELECT count(*) FROM (SELECT ${targets} LIMIT ${add(COUNT_MAX + 1)}::int) counted)::int8 AS count,
      ARRAY(SELECT j.id::text ${inOrder(selection, targets)} ORDER BY j.id DESC LIMIT ${SAMPLE}) AS sample`
  return withinTime(
    listings,
    limitMs,
    async (tx) => {
      const { rows } = await tx.query<{ count: number; sample: string[] }>(
        { name: '', text },
        values,
      )
      const [{ count, sample } = { count: 0, sample: [] }] = rows
      return { count: Math.min(count, COUNT_MAX), more: count > COUNT_MAX, sampleIds: sample }
    },
    byIndex,
  )
}
