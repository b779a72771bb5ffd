import { defineJob } from '@offstage/sdk/jobs'
import pg from 'pg'
import { z } from 'zod'

let pool: pg.Pool | undefined

/** Says that it has read under the lock: whoever had it before can write no more. */
const READ = 'UPDATE public.counters SET fence = $2 WHERE name = $1 AND fence <= $2 RETURNING value'
const WRITE = `
  WITH written AS (
    UPDATE public.counters SET value = $3 + 1 WHERE name = $1 AND fence = $2 RETURNING name
  )
  INSERT INTO public.writes (name, token) SELECT name, $2 FROM written`
/** A holder that is there was kept from writing: so there was another. */
const NOTE_IF_HELD = `
  INSERT INTO public.violations (name, token)
  SELECT l.name, l.token FROM offstage.locks l
  JOIN offstage.jobs j ON j.id = l.job_id AND j.attempt = l.attempt AND j.state IN (3, 4)
  WHERE l.name = $1 AND l.token = $2`

/** Counts by reading and writing with a pause between, which loses counts unless nobody else does meanwhile. */
export const countUnderLock = defineJob({
  method: 'cluster.count-under-lock',
  params: z.object({ name: z.string() }),
  retry: { maxAttempts: 20, initialBackoffMs: 50, backoffMultiplier: 1 },
  async run(job, { name }) {
    pool ??= new pg.Pool({ connectionString: process.env.COUNTERS_URL, max: 4 })
    await using lock = await job.lock(name, { timeoutMs: 60_000 })
    const { fencingToken } = lock
    const { rows } = await pool.query<{ value: number }>(READ, [name, fencingToken])
    await new Promise((resolve) => setTimeout(resolve, 20 * Math.random()))
    const value = rows[0]?.value
    const written =
      value === undefined ? 0 : (await pool.query(WRITE, [name, fencingToken, value])).rowCount
    if (written === 1) return
    await pool.query(NOTE_IF_HELD, [name, fencingToken])
    throw new Error(`the lock ${name} has been somebody else's since`)
  },
})
