import type { Measures } from '@offstage/kit/telemetry'
import { LEAK_KINDS } from '@offstage/proto/leak-kinds'
import type { LeakFigures } from './domain/leaks.ts'
import type { Executor } from './executor.ts'

/** How busy this executor is, and what became of its attempts and threads. */
export function executorMeasures(executor: Executor): Measures {
  const lanes = (which: 'slots' | 'active' | 'parked') => () =>
    executor.lanes.map(({ name, slots }) => ({ value: slots[which], labels: { lane: name } }))
  return {
    metrics: [
      {
        name: 'offstage_executor_attached',
        help: 'Whether it is attached to a scheduler: 1 or 0',
        kind: 'gauge',
        read: () => Number(executor.attached),
      },
      {
        name: 'offstage_executor_draining',
        help: 'Whether it takes no more work because it drains: 1 or 0',
        kind: 'gauge',
        read: () => Number(executor.draining),
      },
      {
        name: 'offstage_executor_slots',
        help: 'Slots of a lane',
        kind: 'gauge',
        labels: ['lane'],
        read: lanes('slots'),
      },
      {
        name: 'offstage_executor_slots_used',
        help: 'Slots of a lane in use',
        kind: 'gauge',
        labels: ['lane'],
        read: lanes('active'),
      },
      {
        name: 'offstage_executor_waiting',
        help: 'Attempts of a lane that wait for children and take no slot',
        kind: 'gauge',
        labels: ['lane'],
        read: lanes('parked'),
      },
      {
        name: 'offstage_executor_attempts_total',
        help: 'Attempts by what became of them: finished, handed back, moved to another thread',
        kind: 'counter',
        labels: ['outcome'],
        read: () => {
          const { finished, handedBack, attemptsMoved: moved } = executor.counts
          return by('outcome', { finished, handed_back: handedBack, moved })
        },
      },
      {
        name: 'offstage_executor_inline_blocked_seconds_total',
        help: 'How long the event loop of the inline lane stood still while handlers of the method ran there',
        kind: 'counter',
        labels: ['method'],
        read: () =>
          [...executor.counts.blockedMs].map(([method, ms]) => ({
            value: ms / 1_000,
            labels: { method },
          })),
      },
      {
        name: 'offstage_executor_leak_tracked_runs_total',
        help: 'Runs that were tracked for leaks and have ended, by method or section',
        kind: 'counter',
        labels: ['name'],
        read: () => executor.leaks.map(({ name, runs }) => ({ value: runs, labels: { name } })),
      },
      {
        name: 'offstage_executor_leaked_total',
        help: 'Timers, sockets, files, listeners, workers and processes that tracked runs have left behind',
        kind: 'counter',
        labels: ['name', 'kind'],
        read: () => leakedOf(executor.leaks),
      },
      {
        name: 'offstage_executor_leaked_heap_bytes',
        help: 'By how much the heap grows with each tracked run, where it does',
        kind: 'gauge',
        labels: ['name'],
        read: () =>
          executor.leaks.flatMap(({ name, leaks }) =>
            leaks.flatMap(({ bytesPerRun: value }) =>
              value === undefined ? [] : { value, labels: { name } },
            ),
          ),
      },
      {
        name: 'offstage_executor_threads_ended_total',
        help: 'Handler threads that were lost, ended by force, or are passed by because they hear nothing',
        kind: 'counter',
        labels: ['cause'],
        read: () => {
          const { lost, endedByForce: force, passedBy } = executor.counts
          return by('cause', { lost, force, passed_by: passedBy })
        },
      },
    ],
  }
}

function by(label: string, values: Readonly<Record<string, number>>) {
  return Object.entries(values).map(([name, value]) => ({ value, labels: { [label]: name } }))
}

function leakedOf(all: readonly LeakFigures[]) {
  return all.flatMap(({ name, leaks }) =>
    LEAK_KINDS.flatMap((kind) => {
      const value = leaks
        .filter((leak) => leak.kind === kind)
        .reduce((sum, { left }) => sum + left, 0)
      return value === 0 ? [] : { value, labels: { name, kind } }
    }),
  )
}
