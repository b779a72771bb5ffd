/** How busy the whole is, as metrics. Every replica tells the same, so whoever adds replicas up counts twice. */
import type { Measures, Metric, Reading } from '@offstage/kit/telemetry'
import { Lane, type SlotLane } from '../domain/lane.ts'
import type { Load, MethodSlots, Slots } from '../domain/load.ts'
import { spelledPool } from '../domain/pool.ts'
import { bounded } from './bounded.ts'
import type { LoadReading } from './load-reading.ts'

/** A scrape is waited for; one that finds the database away tells what is known. */
const PATIENCE_MS = 3_000

const LANE_NAMES: Readonly<Record<SlotLane, string>> = {
  [Lane.inline]: 'inline',
  [Lane.task]: 'task',
  [Lane.work]: 'work',
  [Lane.process]: 'process',
}

export function loadMeasures(reading: LoadReading, onError: (error: unknown) => void): Measures {
  const gauge = (
    name: string,
    help: string,
    labels: readonly string[],
    readingsOf: (load: Load) => Reading[],
  ): Metric => {
    const read = () => (reading.known === undefined ? [] : readingsOf(reading.known))
    return { name: `offstage_${name}`, help, kind: 'gauge', labels, read }
  }
  return {
    async prepare() {
      let timer: NodeJS.Timeout | undefined
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, PATIENCE_MS)
      })
      await Promise.race([reading.latest().then(() => {}, onError), patience])
      clearTimeout(timer)
    },
    metrics: [
      gauge(
        'jobs',
        'Unfinished jobs by state, of all replicas',
        ['namespace', 'method', 'pool', 'state'],
        jobs,
      ),
      gauge(
        'queue_oldest_seconds',
        'How long the job that waits longest has been due; jobs held back by a pause are left out',
        ['namespace', 'method', 'pool'],
        oldest,
      ),
      gauge('executors', 'Attached executors, of all replicas', ['namespace', 'state'], (load) =>
        load.executors.map(({ namespace, standing, executors }) => ({
          value: executors,
          labels: { namespace, state: standing },
        })),
      ),
      gauge(
        'slots',
        'Slots of executors that take work, of all replicas',
        ['namespace', 'lane'],
        (load) => slots(load, 'slots'),
      ),
      gauge(
        'slots_used',
        'Slots of executors that take work, in use',
        ['namespace', 'lane'],
        (load) => slots(load, 'used'),
      ),
      gauge(
        'pool_slots',
        'Slots in which jobs of the pool can run',
        ['namespace', 'pool', 'lane'],
        (load) => poolSlots(load, 'slots'),
      ),
      gauge(
        'pool_slots_used',
        'Slots in which jobs of the pool can run, in use by jobs of any pool',
        ['namespace', 'pool', 'lane'],
        (load) => poolSlots(load, 'used'),
      ),
      gauge(
        'method_slots',
        'Slots in which jobs of the method and the pool can run',
        ['namespace', 'method', 'pool'],
        (load) => methodSlots(load, 'slots'),
      ),
      gauge(
        'method_slots_used',
        'Slots in which jobs of the method and the pool can run, in use by any job',
        ['namespace', 'method', 'pool'],
        (load) => methodSlots(load, 'used'),
      ),
      gauge(
        'jobs_exact',
        'Whether all queued jobs were counted: 1, or 0 where of long queues only the first were',
        [],
        ({ exact }) => [{ value: Number(exact) }],
      ),
      {
        name: 'offstage_jobs_read_age_seconds',
        help: 'Age of what is told of all replicas; over a minute, nothing is',
        kind: 'gauge',
        read: () => reading.ageMs / 1_000,
      },
    ],
  }
}

function jobs({ queues }: Load): Reading[] {
  const readings = queues.flatMap(({ queued, running, waiting, ...queue }) =>
    Object.entries({ queued, running, waiting }).map(([state, value]) => ({
      value,
      labels: { ...ofMethod(queue), state },
    })),
  )
  return bounded(
    readings.filter(({ value }) => value > 0),
    (one, other) => one + other,
  )
}

function oldest({ queues }: Load): Reading[] {
  const waiting = queues.filter(({ paused }) => !paused)
  const readings = waiting.flatMap(({ oldestMs, ...queue }) =>
    oldestMs === undefined ? [] : [{ value: oldestMs / 1_000, labels: ofMethod(queue) }],
  )
  return bounded(readings, Math.max)
}

function slots({ lanes }: Load, which: 'slots' | 'used'): Reading[] {
  return lanes.map(({ namespace, lane, ...rest }) => ({
    value: rest[which],
    labels: { namespace, lane: LANE_NAMES[lane] },
  }))
}

function poolSlots({ pools }: Load, which: 'slots' | 'used'): Reading[] {
  const readings = pools.map(({ namespace, pool, lane, ...rest }) => ({
    value: rest[which],
    labels: { namespace, pool: spelledPool(pool), lane: LANE_NAMES[lane] },
  }))
  return bounded(readings, Math.max)
}

function methodSlots({ methods }: Load, which: 'slots' | 'used'): Reading[] {
  const readings = methods.map((each) => ({ value: each[which], labels: ofMethod(each) }))
  return bounded(readings, Math.max)
}

function ofMethod({ namespace, method, pool }: Omit<MethodSlots, keyof Slots>) {
  return { namespace, method, pool: spelledPool(pool) }
}
