import type { ThreadSettings } from './handler-thread.ts'
import { Lane } from './lane.ts'
import type { ProcessSettings } from './process-host.ts'
import type { Supervisor } from './supervisor.ts'

/** What the threads of all lanes are started with, and how many attempts each lane takes at once. */
export interface LanesConfig
  extends Pick<
    ThreadSettings,
    'jobs' | 'scheduler' | 'storage' | 'tls' | 'attemptTokens' | 'otlpEndpoint'
  > {
  readonly threadHeapBytes: number | undefined
  readonly inlineSlots: number
  /** Told of are handlers that block the event loop of the lane for so long. */
  readonly inlineBlockedAfterMs: number
  readonly taskSlots: number
  readonly workSlots: number
  /** Undefined: offered where a method asks for the lane. */
  readonly processSlots: number | undefined
  readonly processMemoryBytes: number | undefined
  readonly processEnvironment: readonly string[]
  /** How handlers in a process reach the services; undefined: as others do, without a certificate. */
  readonly openRelay?: ProcessSettings['openRelay']
}

/** The lane `inline` is always there. */
export type Lanes = readonly [inline: Lane, ...others: Lane[]]

const PROCESS_SLOTS_DEFAULT = 2

/** The four lanes of an executor, in the order in which they are told of, under one supervisor. */
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
  const ofProcess = {
    ...settings,
    process: {
      environment: config.processEnvironment,
      memoryBytesMax: config.processMemoryBytes,
      openRelay: config.openRelay,
    },
  }
  const ofInline = { ...settings, blockedAfterMs: config.inlineBlockedAfterMs }
  const lanes: Lanes = [
    new Lane('inline', config.inlineSlots, ofInline, supervisor),
    new Lane('task', config.taskSlots, settings, supervisor),
    new Lane('work', config.workSlots, settings, supervisor),
    new Lane('process', config.processSlots ?? PROCESS_SLOTS_DEFAULT, ofProcess, supervisor),
  ]
  for (const lane of lanes) supervisor.addLane(lane)
  return lanes
}
