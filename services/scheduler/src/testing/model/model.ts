/**
 * The truth about jobs once more, as small as it can be: a map of jobs, moved by hand. What the statements of the store make of
 * jobs is compared with it. Time is counted in whole hours, and what is to come lies half an hour off them, so that the seconds a test takes
 * decide nothing.
 */
import type { ChildrenPolicy } from '../../domain/attached-children.ts'
import { CancelOutcome } from '../../domain/cancel-outcome.ts'
import type { AttachmentId } from '../../domain/ids.ts'
import { isTerminal, JobState } from '../../domain/job-state.ts'
import { Buckets, Windows } from './rates.ts'
import { Turns } from './turns.ts'
import type { Words } from './words.ts'

export const PLAIN = 'plain.job'
export const LIMITED = 'limited.job'
export type Method = typeof PLAIN | typeof LIMITED
/** Executors lost while they ran a job before it is given up. */
export const CRASH_LIMIT = 2
/** Attempts in all. */
export const ATTEMPTS_MAX = 2
export const LEASE_ROUNDS = 2
export const BACKOFF_HOURS = 0.5
export const GRACE_HOURS = 0.5

/** What a start says. */
export interface ModelStart {
  readonly id: string
  readonly owner: string
  /** Its owner may have parents of others. */
  readonly admin: boolean
  readonly method: Method
  readonly pool: string
  readonly key: string
  readonly priority: number
  readonly requestId: string
  readonly parentId: string
  readonly cancelWithParent: boolean
  /** Its parent ends only when it has (row A5). */
  readonly attached: boolean
  /** What becomes of it where attached children do not succeed; undefined: `all`. */
  readonly policy: ChildrenPolicy | undefined
  readonly limitKey: string
  readonly delayHours: number
  readonly queueHours: number | undefined
  readonly totalHours: number | undefined
}

export interface ModelJob extends ModelStart {
  /** Orders the starts of one hour. */
  readonly nth: number
  readonly startHour: number
  state: JobState
  attempt: number
  failures: number
  crashes: Set<string>
  holder: AttachmentId | undefined
  behind: boolean
  due: number | undefined
  queueDeadline: number | undefined
  totalDeadline: number | undefined
  cancel: { cascade: boolean; hour: number; deadline: number } | undefined
  outcome: CancelOutcome
  /** The parent it counts for, and the attempt of that which started it. */
  attachedTo: string | undefined
  readonly attachedAttempt: number
  /** It has had attached children. */
  hasAttached: boolean
  /** Those of the attempts up to this one count no more. */
  attachedAfter: number
  /** What it had when it was started anew. */
  renewedAttempt: number
  finishHour: number | undefined
  pinned: boolean
  readonly retriedBy: Set<string>
}

export interface ModelAttachment {
  readonly session: string
  renewRound: number
  inDoubt: boolean
  isOver: boolean
  endRound: number
  /** Over, because its lease ran out. */
  lost: boolean
}

export interface ModelExecutor {
  session: string
  /** Of its stream, while it has one. */
  attachmentId: AttachmentId | undefined
  /** As it believes, job by attempt. */
  readonly runs: Map<string, number>
}

/** So many begin in so many hours, or `burst` at once. */
export interface Rate {
  readonly count: number
  readonly hours: number
  readonly burst: number
}

export interface Bound {
  /** How many may run. */
  readonly max: number | undefined
  readonly rate: Rate | undefined
}

/** Where both of a key are open, its values take turns and that is all. */
export interface Limits {
  readonly whole: Bound | undefined
  readonly perKey: Bound | undefined
}

export interface Paused {
  namespace: boolean
  readonly pools: Set<string>
  readonly methods: Set<Method>
}

export class Model {
  now = 0
  /** Whatever the clock was put back to meanwhile. */
  passedHours = 0
  round = 0
  started = 0
  epoch = 0
  /** As the scheduler read the gates last. */
  seenEpoch = 0
  /** The values that had the last turns, by who claims. */
  readonly lastKeys = new Map<string, string>()
  limits: Limits | undefined
  readonly paused: Paused = { namespace: false, pools: new Set(), methods: new Set() }
  readonly jobs = new Map<string, ModelJob>()
  readonly attachments = new Map<AttachmentId, ModelAttachment>()
  readonly executors: ModelExecutor[] = []
  readonly buckets = new Buckets()
  readonly windows = new Windows()
  readonly turns: Turns
  readonly words: Words

  constructor(words: Words) {
    this.words = words
    // And the empty value.
    this.turns = new Turns(words.owners.length + 1)
  }

  get all(): ModelJob[] {
    return [...this.jobs.values()]
  }

  /** The nth of the jobs that are there, however many these are. */
  nthJob(nth: number): ModelJob | undefined {
    return this.all[nth % Math.max(this.jobs.size, 1)]
  }

  /** Undefined where there is none, or none that its owner may have. */
  parentOf({ parentId, owner, admin }: ModelStart): ModelJob | undefined {
    const parent = this.jobs.get(parentId)
    return admin || parent?.owner === owner ? parent : undefined
  }

  served(nth: number): (ModelExecutor & { attachmentId: AttachmentId }) | undefined {
    const served = this.executors.filter(isServed)
    return served[nth % Math.max(served.length, 1)]
  }

  isOpen(method: Method, pool: string): boolean {
    const { namespace, pools, methods } = this.paused
    return !namespace && !pools.has(pool) && !methods.has(method)
  }

  queued(method: Method): ModelJob[] {
    return this.all
      .filter((job) => job.method === method && job.state === JobState.queued)
      .toSorted(byRank)
  }

  /** Its attached children that count. */
  attachedOf({ id, attachedAfter }: ModelJob): ModelJob[] {
    return this.all.filter(
      (child) => child.attachedTo === id && child.attachedAttempt > attachedAfter,
    )
  }

  /** Whether the parent of an attached child waits for it, or for what came of it. */
  countsForParent(child: ModelJob): boolean {
    const parent = this.jobs.get(child.attachedTo ?? '')
    const isOpen = parent !== undefined && !isTerminal(parent.state)
    return isOpen && this.attachedOf(parent).includes(child)
  }

  running(method: Method): ModelJob[] {
    return this.all.filter((job) => job.method === method && isHeld(job))
  }

  /** Unfinished jobs of the key, first who holds it, then those that wait for it. */
  ofKey(method: Method, key: string): { holder: ModelJob | undefined; waiting: ModelJob[] } {
    const unfinished = this.all.filter(
      (job) => key !== '' && job.method === method && job.key === key && !isTerminal(job.state),
    )
    return {
      holder: unfinished.find(({ behind }) => !behind),
      waiting: unfinished.filter(({ behind }) => behind).toSorted(byStart),
    }
  }

  claim(job: ModelJob, executor: ModelExecutor): void {
    job.state = JobState.running
    job.attempt += 1
    job.holder = executor.attachmentId
    executor.runs.set(job.id, job.attempt)
  }

  finish(job: ModelJob, state: JobState): void {
    job.state = state
    job.finishHour = this.now
    job.holder = undefined
  }

  /** Back into the queue, unless a cancel was asked for. */
  letGo(job: ModelJob): void {
    job.holder = undefined
    if (job.cancel === undefined) job.state = JobState.queued
    else {
      job.outcome = CancelOutcome.stopped
      this.finish(job, JobState.canceled)
    }
  }

  /** What the steps of a real clock would make of rows that were written before them. */
  step(hours: number): void {
    this.now += hours
    this.passedHours += Math.max(hours, 0)
  }
}

export function isHeld({ state }: ModelJob): boolean {
  return state === JobState.running || state === JobState.waiting
}

function isServed(
  executor: ModelExecutor,
): executor is ModelExecutor & { attachmentId: AttachmentId } {
  return executor.attachmentId !== undefined
}

export function byStart(a: ModelJob, b: ModelJob): number {
  return a.startHour - b.startHour || a.nth - b.nth
}

/** Best first. */
export function byRank(a: ModelJob, b: ModelJob): number {
  return b.priority - a.priority || byStart(a, b)
}
