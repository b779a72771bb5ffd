import type { ThreadSettings } from './handler-thread.ts'
import { Lane } from './lane.ts'
import type { Supervisor } from './supervisor.ts'

/** What the threads of all lanes are started with, and how many attempts each lane takes at once. */
export interface LanesConfig
  extends Pick<
    ThreadSettings,
    'jobs' | 'scheduler' | 'storage' | 'tls' | 'attemptTokens' | 'otlpEndpoint'
  > {
  readonly threadHeapBytes: number | undefined
  readonly inlineSlots: number
  readonly taskSlots: number
  readonly workSlots: number
}

export type Lanes = readonly [inline: Lane, task: Lane, work: Lane]

/** The three lanes of an executor, in the order in which they are told of, under one supervisor. */
export function createLanes(config: LanesConfig, supervisor: Supervisor): Lanes {
  const settings = {
    name: '',
    jobs: config.jobs,
    scheduler: config.scheduler,
    storage: config.storage,
    tls: config.tls,
    attemptTokens: config.attemptTokens,
    otlpEndpoint: config.otlpEndpoint,
    heapBytesMax: config.threadHeapBytes,
  }
  const lanes: Lanes = [
    new Lane('inline', config.inlineSlots, settings, supervisor),
    new Lane('task', config.taskSlots, settings, supervisor),
    new Lane('work', config.workSlots, settings, supervisor),
  ]
  for (const lane of lanes) supervisor.addLane(lane)
  return lanes
}
