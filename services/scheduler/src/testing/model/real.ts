/** The stores that are compared with the model, and the comparison. */
import type { Database } from '@offstage/kit/database'
import { expect } from 'vitest'
import type { AttachmentId } from '../../domain/ids.ts'
import type { JobState } from '../../domain/job-state.ts'
import type { MethodLimit } from '../../domain/method-limit.ts'
import type { SchedulerStores } from '../../ports/stores.ts'
import { sharedDatabase } from '../../store/databases.ts'
import { createStores } from '../../store/stores.ts'
import { type Bound, isHeld, LIMITED, type Model, PLAIN } from './model.ts'

const HOUR_MS = 3_600_000

export const BY = { user: 'dev', roles: ['admin'], peer: '127.0.0.1:1', call: 'a.B' }

export interface Real extends SchedulerStores {
  readonly database: Database
}

export function realOver(database: Database): Real {
  return { ...createStores(sharedDatabase(database)), database }
}

/** An empty database, all gates open. */
export async function begin(real: Real, model: Model): Promise<void> {
  for (const table of [
    'jobs',
    'job_attempts',
    'attachments',
    'namespaces',
    'method_gates',
    'method_limits',
    'rate_tokens',
  ]) {
    await real.database.query({ name: '', text: `DELETE FROM offstage.${table}` })
  }
  model.round = (await real.leases.readRound()).round
  model.epoch = (await real.gates.read()).epoch
  model.seenEpoch = model.epoch
}

/** So many hours pass, or are taken back, which is the same as if all there is had been written that much earlier or later. */
export async function stepClock(real: Real, hours: number): Promise<void> {
  for (const table of ['jobs', 'rate_tokens']) {
    const columns = `SELECT column_name AS name FROM information_schema.columns
      WHERE table_schema = 'offstage' AND table_name = '${table}' AND data_type = 'timestamp with time zone'`
    const { rows } = await real.database.query<{ name: string }>({ name: '', text: columns })
    const set = rows.map(({ name }) => `${name} = ${name} - interval '${hours} hours'`)
    await real.database.query({ name: '', text: `UPDATE offstage.${table} SET ${set.join(', ')}` })
  }
}

const JOBS = {
  name: 'compare_with_model',
  text: `
    SELECT id, state, attempt, failures, crash_count AS crashes, behind_key AS behind, cancel_outcome AS outcome,
      CASE WHEN state IN (3, 4) THEN attachment_id END AS holder, pin_time IS NOT NULL AS pinned,
      cancel_time IS NOT NULL AS canceled, cancel_cascade AS cascade, finish_time IS NOT NULL AS finished
    FROM offstage.jobs ORDER BY id`,
}

interface Compared {
  readonly id: string
  readonly state: JobState
  readonly holder: AttachmentId | null
}

export async function compare(model: Model, real: Real): Promise<void> {
  const { rows } = await real.database.query<Compared>(JOBS)
  const expected = model.all.map((job) => ({
    id: job.id,
    state: job.state,
    attempt: job.attempt,
    failures: job.failures,
    crashes: job.crashes.size,
    behind: job.behind,
    outcome: job.outcome,
    holder: isHeld(job) ? (job.holder ?? null) : null,
    pinned: job.pinned,
    canceled: job.cancel !== undefined,
    cascade: job.cancel?.cascade ?? false,
    finished: job.finishHour !== undefined,
  }))
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1)
  expect(rows.toSorted(byId)).toEqual(expected.toSorted(byId))
}

export async function compareGates({ paused, limits, epoch }: Model, real: Real): Promise<void> {
  const gates = await real.gates.read()
  expect(gates.epoch).toBe(epoch)
  expect(gates.namespaces).toEqual(paused.namespace ? ['default'] : [])
  expect(gates.pools.map(({ pool }) => pool).toSorted()).toEqual([...paused.pools].toSorted())
  expect(gates.methods.map(({ method }) => method).toSorted()).toEqual(
    [...paused.methods].toSorted(),
  )
  const { whole, perKey } = gates.limits.find(({ method }) => method === LIMITED) ?? {}
  expect({ whole: boundOf(whole), perKey: boundOf(perKey) }).toEqual({
    ...{ whole: undefined, perKey: undefined, ...limits },
  })
  expect(gates.limits.some(({ method }) => method === PLAIN)).toBe(false)
}

function boundOf(limit: MethodLimit | undefined): Bound | undefined {
  if (limit === undefined) return undefined
  const { concurrencyMax: max, rate } = limit
  return {
    max,
    rate: rate && { count: rate.count, hours: rate.periodMs / HOUR_MS, burst: rate.burst },
  }
}
