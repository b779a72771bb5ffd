import { JOB_LANES, Lane } from '../domain/lane.ts'
import { queueKey } from '../domain/queue-key.ts'
import type { JobEvents } from '../events/job-events.ts'

export interface Queue {
  readonly namespace: string
  readonly method: string
  readonly lane: Lane
  readonly pool: string
}

/** A queue, or all queues of a method where lane or pool are not known. */
type Queued = Pick<Queue, 'namespace' | 'method'> & Partial<Queue>

export interface BacklogOptions {
  readonly events: Pick<JobEvents, 'queueReady'>
  /** The pools for which the jobs of a method may be claimed here. */
  poolsOf(namespace: string, method: string): Iterable<string>
}

/**
 * Which queues may hold jobs in the database. A start overtakes nobody: it is dispatched eagerly only while its
 * queue is believed empty. Belief comes from hints; the sweep of the claims reads the truth.
 */
export class Backlog {
  /** The methods, in a pool, with jobs in each lane. */
  readonly #methods = JOB_LANES.map(() => new Map<string, number>())
  /** Grows with each word of queued jobs; each entry has that of its newest. */
  #words = 0
  readonly #options: BacklogOptions
  readonly #listeners: (() => void)[] = []

  constructor(options: BacklogOptions) {
    this.#options = options
  }

  /** Calls the listener whenever jobs were put into a queue. */
  onQueued(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Jobs were put into this queue, here or elsewhere. */
  add(queued: Queued): void {
    this.note(queued)
    for (const listener of this.#listeners) listener()
  }

  /** There may be more in this queue than there were slots for: the next free one is to look. */
  note({ namespace, method, lane, pool }: Queued): void {
    this.#words += 1
    const pools = pool === undefined ? this.#options.poolsOf(namespace, method) : [pool]
    for (const one of pools) {
      const key = poolKey(namespace, method, one)
      for (const each of lane === undefined ? JOB_LANES : [lane]) {
        this.#methods[each]?.set(key, this.#words)
      }
    }
  }

  /** To be told to {@link clear} by who begins to read queues now. */
  get words(): number {
    return this.#words
  }

  /** The queue has been read to its end, as it was by this word: what has come since may not have been seen. */
  clear({ namespace, method, lane, pool }: Queue, words = this.#words): void {
    const key = poolKey(namespace, method, pool)
    const newest = this.#methods[lane]?.get(key)
    if (newest !== undefined && newest <= words) this.#methods[lane]?.delete(key)
  }

  has({ namespace, method, lane, pool }: Queue): boolean {
    const methods = this.#methods[lane]
    return (
      methods !== undefined && methods.size > 0 && methods.has(poolKey(namespace, method, pool))
    )
  }

  /** Whether one of the queues of a method may hold jobs. */
  hasAny(namespace: string, method: string): boolean {
    for (const pool of this.#options.poolsOf(namespace, method)) {
      const key = poolKey(namespace, method, pool)
      if (this.#methods.some((methods) => methods.has(key))) return true
    }
    return false
  }

  /** Whether a slot of this lane may find a job. */
  fills(lane: number): boolean {
    return [Lane.ofMethod, lane].some((one) => (this.#methods[one]?.size ?? 0) > 0)
  }

  /** Tells this replica and the others that jobs were queued, one hint for each method. */
  announce(queued: Iterable<Queued>): void {
    const methods = new Map<string, Queued>()
    for (const job of queued) {
      this.add(job)
      methods.set(queueKey(job.namespace, job.method), job)
    }
    for (const { namespace, method } of methods.values()) {
      this.#options.events.queueReady(namespace, method)
    }
  }
}

/** The names of pools have no blanks. */
function poolKey(namespace: string, method: string, pool: string): string {
  const key = queueKey(namespace, method)
  return pool === '' ? key : `${key} ${pool}`
}
