/** What a soak promises, each promise with what broke it. All are judged, so that one run tells of all that is wrong. */
import type { Queryable } from '@offstage/kit/database'
import { UNJUST_CHARGES } from './charges.ts'

export interface Verdict {
  readonly promise: string
  /** What broke it; empty where it was kept. */
  readonly brokenBy: readonly unknown[]
}

/** By the database alone, once nothing runs any more. */
const PROMISES: Readonly<Record<string, string>> = {
  'every acknowledged job is there': `
    SELECT id FROM unnest($1::uuid[]) AS acknowledged (id)
    WHERE NOT EXISTS (SELECT FROM offstage.jobs j WHERE j.id = acknowledged.id)`,
  'every job ends': `
    SELECT id, method, state, attempt, create_time, start_time FROM offstage.jobs WHERE state < 5`,
  'none fails': `
    SELECT id, method, attempt, crash_count, error FROM offstage.jobs WHERE state = 6`,
  // Children of an attempt that was stopped are canceled by it, and its next attempt starts its own: those are none of these.
  'none is canceled unasked': `
    SELECT j.id, j.method, j.attempt, j.cancel_reason, p.attempt AS attempt_of_parent
    FROM offstage.jobs j LEFT JOIN offstage.jobs p ON p.id = j.parent_id
    WHERE j.state = 7 AND j.method <> 'cluster.deaf' AND (p.attempt > 1) IS NOT TRUE`,
  'only the dead are charged': UNJUST_CHARGES,
  'no job ends twice': 'SELECT id, count(*) FROM public.job_ends GROUP BY id HAVING count(*) > 1',
  // Those that were canceled at birth have no end that a trigger sees.
  'every end is seen': `
    SELECT j.id, j.method, j.state FROM offstage.jobs j WHERE j.state >= 5
      AND NOT EXISTS (SELECT FROM public.job_ends e WHERE e.id = j.id) AND NOT (j.state = 7 AND j.attempt = 0)`,
}

/** @param acknowledged the ids of the jobs whose starts were answered */
export function judgeJobs(
  database: Queryable,
  acknowledged: readonly string[],
): Promise<readonly Verdict[]> {
  const judged = Object.entries(PROMISES).map(async ([promise, text]) => {
    const values = text.includes('$1') ? [acknowledged] : []
    const { rows } = await database.query({ name: '', text }, values)
    return { promise, brokenBy: rows }
  })
  return Promise.all(judged)
}

/** As a table that fits on a page. */
export function tableOf(verdicts: readonly Verdict[]) {
  return verdicts.map(({ promise, brokenBy }) => ({
    promise,
    verdict: brokenBy.length === 0 ? 'kept' : `broken ${brokenBy.length} times`,
  }))
}

const TOLD_MAX = 20

/** Those that were broken, with some of what broke them. */
export function brokenOf(verdicts: readonly Verdict[]): readonly Verdict[] {
  return verdicts
    .filter(({ brokenBy }) => brokenBy.length > 0)
    .map(({ promise, brokenBy }) => ({ promise, brokenBy: brokenBy.slice(0, TOLD_MAX) }))
}

/** The longest from start to end, where one tells of something that held it up. */
export const LONGEST_LIVES = `
  SELECT method, state, attempt, round(extract(epoch FROM finish_time - create_time))::int AS seconds,
    round(extract(epoch FROM start_time - create_time))::int AS until_last_attempt
  FROM offstage.jobs WHERE finish_time IS NOT NULL ORDER BY finish_time - create_time DESC LIMIT 5`
