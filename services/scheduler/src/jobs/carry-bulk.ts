/**
 * Carries bulk jobs on, behind all other work: a part at a time on one connection, with rests in between that grow with what the
 * database has to do otherwise. Every replica looks for them; of two that meet at one, one goes on (store/bulk-jobs.ts).
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { BulkJob, BulkTarget } from '../domain/bulk-job.ts'
import type { ChangedJob } from '../domain/held-job.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { Methods } from '../executors/methods.ts'
import type { BulkStore } from '../ports/bulk.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import type { TellCanceled } from './cancel-job.ts'
import { refusesAnew } from './may-start.ts'

export interface CarryBulkOptions {
  readonly bulk: Pick<BulkStore, 'next' | 'count' | 'targets' | 'carry'>
  readonly methods: Pick<Methods, 'find'>
  readonly feed: Pick<JobFeed, 'tell'>
  readonly events: Pick<JobEvents, 'job'>
  readonly leaseMs: number
  changed(jobs: readonly ChangedJob[]): void
  readonly tellCanceled: TellCanceled
}

/** Some tens of milliseconds in which the ends of these jobs may have to wait. */
const PART = 500
/** Rests in parts of the work before them. */
const REST = 0.5

/** Until there is nothing left, or another replica is at it; owners take turns. Of one that fails the next run tries the same part again. */
export function createCarryBulk(options: CarryBulkOptions): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    const failed = new Map<string, unknown>()
    const served = new Set<string>()
    while (!signal.aborted) {
      const begin = performance.now()
      const next = await options.bulk.next([...failed.keys()], [...served])
      if (next === undefined) break
      if (served.has(next.owner)) served.clear()
      served.add(next.owner)
      try {
        if (!(await carryOn(options, next.read()))) break
      } catch (error) {
        failed.set(next.id, error)
      }
      await pause((performance.now() - begin) * REST)
    }
    for (const [id, cause] of failed) throw new Error(`bulk job ${id} does not get on`, { cause })
  }
}

/** Whether this replica did a part. */
async function carryOn(options: CarryBulkOptions, bulk: BulkJob): Promise<boolean> {
  const { feed, events, changed, tellCanceled } = options
  const total = bulk.parts === 0 ? await options.bulk.count(bulk) : bulk.total
  const targets = await options.bulk.targets(bulk, PART)
  const part = {
    ids: targets.map(({ id }) => id),
    barredMethods: await barredOf(options, bulk, targets),
    leaseMs: options.leaseMs,
    isLast: targets.length < PART,
    total,
  }
  const carried = await retryConflicts(() => options.bulk.carry(bulk, part))
  if (carried.kind !== 'carried') return carried.kind !== 'elsewhere'
  tellCanceled(carried.canceled, bulk)
  changed([...carried.canceled, ...carried.changed])
  feed.tell(bulk.id, 'progress')
  events.job(bulk.namespace, bulk.id, 'progress')
  if (carried.ended !== undefined) changed([carried.ended])
  return true
}

async function barredOf(
  { methods }: CarryBulkOptions,
  { verb, ownerOnly, namespace, by }: BulkJob,
  targets: readonly BulkTarget[],
): Promise<Map<string, string>> {
  const barred = new Map<string, string>()
  if (verb !== 'retry') return barred
  for (const method of new Set(targets.map((target) => target.method))) {
    const refusal = refusesAnew(by, ownerOnly, await methods.find(namespace, method))
    if (refusal !== undefined) barred.set(method, refusal.reason)
  }
  return barred
}
