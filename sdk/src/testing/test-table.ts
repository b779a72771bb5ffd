/** What the tests of this folder stand on: a table under a clock moved by hand, and a record of the runs. */

import { expect } from 'vitest'
import { createActivity } from '../idle/activity.ts'
import type { IdleFailure } from '../idle/failure-report.ts'
import { idleHandlers } from '../idle/idle-handlers.ts'
import { createManualClock } from '../idle/manual-clock.ts'
import type { IdleHandlersOptions } from '../idle/options.ts'

/** Creates a table; disposing of the bundle disposes of the table and fails if it leaves a timer behind. */
export function createTestTable(options: IdleHandlersOptions = {}) {
  const clock = createManualClock()
  const activity = createActivity()
  const failures: IdleFailure[] = []
  const onError = (failure: IdleFailure) => void failures.push(failure)
  const table = idleHandlers({ clock, activity, onError, ...options })
  /** One line for each run: who and when. */
  const runs: string[] = []
  return {
    clock,
    activity,
    failures,
    table,
    runs,
    /** A handler that records its run and then does `work`. */
    handler(name: string, work: () => unknown = () => undefined) {
      return () => {
        runs.push(`${name}@${clock.now()}`)
        return work()
      }
    },
    /** The runs recorded since the last call. */
    newRuns: () => runs.splice(0),
    [Symbol.dispose]() {
      table.dispose()
      expect(clock.pendingTimers).toBe(0)
    },
  }
}
