import { JOB_LANES, Lane } from '../domain/lane.ts'
import { queueKey } from '../domain/queue-key.ts'
import type { JobEvents } from '../events/job-events.ts'

/** A queue, or all queues of a method where the lane is not known. */
interface Queued {
  readonly namespace: string
  readonly method: string
  readonly lane?: Lane
}

/**
 * Which queues may hold jobs in the database. A start overtakes nobody: it is dispatched eagerly only while its
 * queue is believed empty. Belief comes from hints; the sweep of the claims reads the truth.
 */
export class Backlog {
  /** The methods with jobs in each lane. */
  readonly #methods = JOB_LANES.map(() => new Set<string>())
  readonly #events: Pick<JobEvents, 'queueReady'>
  readonly #listeners: (() => void)[] = []

  constructor(events: Pick<JobEvents, 'queueReady'>) {
    this.#events = events
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
  note({ namespace, method, lane }: Queued): void {
    const key = queueKey(namespace, method)
    for (const one of lane === undefined ? JOB_LANES : [lane]) this.#methods[one]?.add(key)
  }

  /** The queue has been read to its end. */
  clear(namespace: string, method: string, lane: Lane): void {
    this.#methods[lane]?.delete(queueKey(namespace, method))
  }

  has(namespace: string, method: string, lane: Lane): boolean {
    return this.#methods[lane]?.has(queueKey(namespace, method)) ?? false
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
      this.#events.queueReady(namespace, method)
    }
  }
}
