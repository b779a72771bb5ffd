/** All that is swept, each an entry. */
import type { Sweep } from '@offstage/kit/lifecycle'
import type { Logger } from '@offstage/kit/telemetry'
import type { ActStore } from '../ports/acts.ts'
import type { ClockStore } from '../ports/sweeps.ts'
import { sweepClock } from './sweep-clock.ts'
import { BATCH, type SweepParts, sweepEnded, sweepGarbage, sweepOrphans } from './sweep-ended.ts'
import { type JobValueParts, sweepDiscarded, sweepUnnamed } from './sweep-job-values.ts'

export interface SweepsOptions extends SweepParts, JobValueParts {
  readonly clock: ClockStore
  readonly sweepEveryMs: number
  readonly acts: Pick<ActStore, 'forget'>
  readonly actsKeptMs: number
  readonly orphanSweepEveryMs: number
  readonly log: Logger
}

const TIMEOUT_MS = 60_000
const ACTS_EVERY_MS = 60_000
const UNNAMED_EVERY_MS = 60_000
const ORPHANS_TIMEOUT_MS = 30 * 60_000

/** What the process before left is looked for at once. */
export function createSweeps(options: SweepsOptions): {
  readonly sweeps: readonly Sweep[]
  /** Says that there may be blobs to remove. */
  garbageMade(): void
} {
  const { clock, log, sweepEveryMs: everyMs } = options
  const listeners: (() => void)[] = []
  const garbageMade = () => {
    for (const listener of listeners) listener()
  }
  const sweeps: Sweep[] = [
    {
      name: 'sweep of what has ended',
      everyMs,
      timeoutMs: TIMEOUT_MS,
      atStart: true,
      async run(signal) {
        await sweepClock(clock, log, signal)
        await sweepEnded(options, signal)
        garbageMade()
      },
    },
    {
      name: 'sweep of blobs left behind',
      everyMs,
      timeoutMs: TIMEOUT_MS,
      run: (signal) => sweepGarbage(options, signal),
      onHint: (wake) => listeners.push(wake),
    },
    {
      name: 'sweep of what removed jobs have left',
      everyMs,
      timeoutMs: TIMEOUT_MS,
      async run(signal) {
        await sweepDiscarded(options, signal)
        garbageMade()
      },
    },
    {
      name: 'sweep of what no job names',
      everyMs: UNNAMED_EVERY_MS,
      timeoutMs: TIMEOUT_MS,
      atStart: true,
      run: (signal) => sweepUnnamed(options, signal),
    },
    {
      name: 'sweep of old acts',
      everyMs: ACTS_EVERY_MS,
      timeoutMs: TIMEOUT_MS,
      async run(signal) {
        const { acts, actsKeptMs } = options
        while (!signal.aborted && (await acts.forget(actsKeptMs, BATCH)) === BATCH);
      },
    },
    {
      name: 'sweep of orphaned blobs',
      everyMs: options.orphanSweepEveryMs,
      timeoutMs: ORPHANS_TIMEOUT_MS,
      atStart: true,
      run: (signal) => sweepOrphans(options, signal),
    },
  ]
  return { sweeps, garbageMade }
}
