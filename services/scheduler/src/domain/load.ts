import type { SlotLane } from './lane.ts'

/** What there is to do of one method, and what is done of it now. */
export interface QueueLoad {
  readonly namespace: string
  readonly method: string
  /** Due, and not running yet. */
  readonly queued: number
  readonly running: number
  /** Parents that have given their slots back. */
  readonly waiting: number
  /** For how long the one of them that waits longest has been due; undefined where none is queued. */
  readonly oldestMs: number | undefined
  /** A pause holds back what is queued. */
  readonly paused: boolean
}

export interface Slots {
  readonly slots: number
  readonly used: number
}

/** Of the executors of one namespace that take work. */
export interface LaneLoad extends Slots {
  readonly namespace: string
  readonly lane: SlotLane
}

/** The slots in which jobs of the method can run, whatever runs in them now. */
export interface MethodSlots extends Slots {
  readonly namespace: string
  readonly method: string
}

/** What attached executors may be: taking work, taking none any more, or not heard of for a lease. */
export type ExecutorStanding = 'attached' | 'draining' | 'silent'

export interface ExecutorCount {
  readonly namespace: string
  readonly standing: ExecutorStanding
  readonly executors: number
}

/** How busy the whole of all replicas is. */
export interface Load {
  /** Whether every queued job was counted; else, of long queues, only the first of each lane and priority. */
  readonly exact: boolean
  readonly queues: readonly QueueLoad[]
  readonly lanes: readonly LaneLoad[]
  readonly methods: readonly MethodSlots[]
  readonly executors: readonly ExecutorCount[]
}
