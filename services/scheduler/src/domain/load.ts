import type { SlotLane } from './lane.ts'

/** What there is to do of one method in one pool, and what is done of it now. */
export interface QueueLoad {
  readonly namespace: string
  readonly method: string
  /** Empty: the default one. */
  readonly pool: string
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

/** Of the executors that serve the pool; one that serves two is told with both. */
export interface PoolLoad extends LaneLoad {
  readonly pool: string
}

/** The slots in which jobs of the method and the pool can run, whatever runs in them now. */
export interface MethodSlots extends Slots {
  readonly namespace: string
  readonly method: string
  readonly pool: string
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
  /** Whether every queued job was counted; else, of long queues, only the first of each pool, lane and priority. */
  readonly exact: boolean
  readonly queues: readonly QueueLoad[]
  readonly lanes: readonly LaneLoad[]
  readonly pools: readonly PoolLoad[]
  readonly methods: readonly MethodSlots[]
  readonly executors: readonly ExecutorCount[]
}
