/** How busy the whole is, as metrics. Every replica tells the same, so whoever adds replicas up counts twice. */
import type { Measures, Metric, Reading } from '@offstage/kit/telemetry'
import { Lane, type SlotLane } from '../domain/lane.ts'
import type { Load } from '../domain/load.ts'
import type { LoadReading } from './load-reading.ts'

/** Names of methods come from executors. Those beyond are told together, as `other`. */
const METHODS_MAX = 1_000
const OTHER = 'other'

/** A scrape is waited for; one that finds the database away tells what is known. */
const PATIENCE_MS = 3_000

const LANE_NAMES: Readonly<Record<SlotLane, string>> = {
  [Lane.inline]: 'inline',
  [Lane.task]: 'task',
  [Lane.work]: 'work',
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
        ['namespace', 'method', 'state'],
        jobs,
      ),
      gauge(
        'queue_oldest_seconds',
        'How long the job that waits longest has been due; jobs held back by a pause are left out',
        ['namespace', 'method'],
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
        'method_slots',
        'Slots in which jobs of the method can run',
        ['namespace', 'method'],
        (load) => methodSlots(load, 'slots'),
      ),
      gauge(
        'method_slots_used',
        'Slots in which jobs of the method can run, in use by any method',
        ['namespace', 'method'],
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
  const readings = queues.flatMap(({ namespace, method, queued, running, waiting }) =>
    Object.entries({ queued, running, waiting }).map(([state, value]) => ({
      value,
      labels: { namespace, method, state },
    })),
  )
  return bounded(
    readings.filter(({ value }) => value > 0),
    (one, other) => one + other,
  )
}

function oldest({ queues }: Load): Reading[] {
  const waiting = queues.filter(({ paused }) => !paused)
  const readings = waiting.flatMap(({ namespace, method, oldestMs }) =>
    oldestMs === undefined ? [] : [{ value: oldestMs / 1_000, labels: { namespace, method } }],
  )
  return bounded(readings, Math.max)
}

function slots({ lanes }: Load, which: 'slots' | 'used'): Reading[] {
  return lanes.map(({ namespace, lane, ...rest }) => ({
    value: rest[which],
    labels: { namespace, lane: LANE_NAMES[lane] },
  }))
}

function methodSlots({ methods }: Load, which: 'slots' | 'used'): Reading[] {
  const readings = methods.map(({ namespace, method, ...rest }) => ({
    value: rest[which],
    labels: { namespace, method },
  }))
  return bounded(readings, Math.max)
}

type OfMethod = Reading & {
  readonly labels: Readonly<Record<string, string>> & { readonly method: string }
}

/** The first methods by name of their own, and the others of each namespace as one. */
function bounded(
  readings: readonly OfMethod[],
  join: (one: number, other: number) => number,
): Reading[] {
  const keyOf = ({ namespace, method }: OfMethod['labels']) => `${namespace} ${method}`
  const names = [...new Set(readings.map(({ labels }) => keyOf(labels)))]
  if (names.length <= METHODS_MAX) return [...readings]
  const told = new Set(names.slice(0, METHODS_MAX))
  const joined = new Map<string, { value: number; labels: OfMethod['labels'] }>()
  const own: Reading[] = []
  for (const { value, labels } of readings) {
    if (told.has(keyOf(labels))) {
      own.push({ value, labels })
      continue
    }
    const others = { ...labels, method: OTHER }
    const key = JSON.stringify(others)
    joined.set(key, { value: join(joined.get(key)?.value ?? 0, value), labels: others })
  }
  return [...own, ...joined.values()]
}
