/**
 * Whether there is work, told when that changes: so that executors come from none as soon as a job does.
 *
 * Jobs that are queued are told of by hints, behind which there is a look every few seconds (guarantee 4).
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { JobEvents } from '../events/job-events.ts'
import { demandOf, type Served } from './demand.ts'
import type { LoadReading } from './load-reading.ts'

const LOOK_MS = 5_000

/** Whether there is, at once and then at each change, until the signal. */
export async function* watchDemand(
  served: Served,
  reading: LoadReading,
  events: Pick<JobEvents, 'onQueueReady'>,
  signal: AbortSignal,
): AsyncGenerator<boolean, void, undefined> {
  let hinted = Promise.withResolvers<void>()
  const subscription = events.onQueueReady((namespace) => {
    if (namespace === served.namespace) hinted.resolve()
  })
  try {
    const { active } = demandOf(await reading.latest(), served)
    let told = active
    yield told
    while (!signal.aborted) {
      const stop = new AbortController()
      const timer = wait(LOOK_MS, undefined, { signal: AbortSignal.any([signal, stop.signal]) })
      await Promise.race([hinted.promise, timer]).catch(() => {})
      stop.abort()
      if (signal.aborted) return
      hinted = Promise.withResolvers()
      const { active } = demandOf(await reading.next(), served)
      if (active !== told) yield active
      told = active
    }
  } finally {
    subscription.unsubscribe()
  }
}
