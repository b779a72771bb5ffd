import type { JobEvents } from '../events/job-events.ts'
import { type Demand, demandOf, type Served } from './demand.ts'
import type { LoadReading } from './load-reading.ts'
import { watchDemand } from './watch-demand.ts'

/** What whoever scales executors asks. */
export interface Scaling {
  demand(served: Served): Promise<Demand>
  /** Whether there is work, at once and then at each change, until the signal. */
  watch(served: Served, signal: AbortSignal): AsyncIterable<boolean>
}

export function createScaling(
  reading: LoadReading,
  events: Pick<JobEvents, 'onQueueReady'>,
): Scaling {
  return {
    demand: async (served) => demandOf(await reading.latest(), served),
    watch: (served, signal) => watchDemand(served, reading, events, signal),
  }
}
