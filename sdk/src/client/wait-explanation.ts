import { msFrom } from '@offstage/proto/durations'
import { type ExplainJobResponse, type SeenExecutor, WaitCause } from '@offstage/proto/jobs'

/** What holds a job back. */
export type WaitCauseName =
  | 'none'
  | 'not-due'
  | 'key'
  | 'limit'
  | 'no-executor'
  | 'no-fit'
  | 'no-slot'
  | 'paused'
  | 'exclusive-mode'
  | 'children'
  | 'lock'

/** Why a job waits. */
export interface WaitExplanation {
  /** `none` where it runs or has ended. */
  readonly cause: WaitCauseName
  /** One sentence for a person. */
  readonly text: string
  /** The jobs, sessions or limits that hold it. */
  readonly holders: readonly string[]
  /** How many jobs begin before it as things stand, counted up to 10,000. */
  readonly ahead: number
  /** There may be more than `ahead`. */
  readonly aheadIsMinimum: boolean
  /** When it begins if as many begin as did lately; undefined where that cannot be told. */
  readonly startEstimate?: StartEstimate
  /** Executors that run its method, now or within ten minutes, at most 10; only for those who may list executors. */
  readonly executors: readonly ExecutorSighting[]
}

/** In milliseconds from the answer on: of ten such estimates eight are to be right. */
export interface StartEstimate {
  readonly earliestMs: number
  readonly latestMs: number
}

/** An executor as far as it matters to a job that waits. */
export interface ExecutorSighting {
  readonly sessionId: string
  readonly name: string
  /** The pools it serves, the default one as `default`. */
  readonly pools: readonly string[]
  /** When it was heard of last, within some seconds. */
  readonly seenTime?: Date
  /** False: it has left, or was lost. */
  readonly attached: boolean
  /** It takes no new work. */
  readonly draining: boolean
  /** Nothing was heard of it for a lease. */
  readonly inDoubt: boolean
  /** Its slots in the lane of the job, and those of them in use. */
  readonly slots: number
  readonly used: number
  /** It serves the pool of the job. */
  readonly servesPool: boolean
  /** The version of the method that it announced; empty for none. */
  readonly version: string
  /** That is the one the job requires, or the job requires none. */
  readonly hasVersion: boolean
  /** The parameters fit the schema it announced. */
  readonly fits: boolean
}

const CAUSES = new Map<WaitCause, WaitCauseName>([
  [WaitCause.WAIT_CAUSE_NOT_DUE, 'not-due'],
  [WaitCause.WAIT_CAUSE_KEY, 'key'],
  [WaitCause.WAIT_CAUSE_LIMIT, 'limit'],
  [WaitCause.WAIT_CAUSE_NO_EXECUTOR, 'no-executor'],
  [WaitCause.WAIT_CAUSE_NO_FIT, 'no-fit'],
  [WaitCause.WAIT_CAUSE_NO_SLOT, 'no-slot'],
  [WaitCause.WAIT_CAUSE_PAUSED, 'paused'],
  [WaitCause.WAIT_CAUSE_EXCLUSIVE_MODE, 'exclusive-mode'],
  [WaitCause.WAIT_CAUSE_CHILDREN, 'children'],
  [WaitCause.WAIT_CAUSE_LOCK, 'lock'],
])

export function explanationFrom(answer: ExplainJobResponse): WaitExplanation {
  const { cause, text, holders, ahead, aheadIsMinimum, startEstimate, executors } = answer
  const earliestMs = msFrom(startEstimate?.earliest)
  const latestMs = msFrom(startEstimate?.latest)
  return {
    ...{ text, holders, ahead, aheadIsMinimum },
    cause: CAUSES.get(cause) ?? 'none',
    ...(earliestMs === undefined || latestMs === undefined
      ? {}
      : { startEstimate: { earliestMs, latestMs } }),
    executors: executors.map(sightingFrom),
  }
}

function sightingFrom({ seenTime, ...executor }: SeenExecutor): ExecutorSighting {
  return { ...executor, ...(seenTime && { seenTime }) }
}
