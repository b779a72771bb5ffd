import type { JobEvents } from '../events/job-events.ts'
import { queueKey } from './attachments.ts'

/**
 * Which queues may hold jobs in the database. A start overtakes nobody: it is dispatched eagerly only while its
 * queue is believed empty. Belief comes from hints; the dispatcher's sweep reads the truth.
 */
export class Backlog {
  readonly #queues = new Set<string>()
  readonly #wake: () => void

  constructor(wake: () => void) {
    this.#wake = wake
  }

  /** Jobs were put into this queue, here or elsewhere. */
  add(namespace: string, method: string): void {
    this.#queues.add(queueKey(namespace, method))
    this.#wake()
  }

  /** The queue has been read to its end. */
  clear(namespace: string, method: string): void {
    this.#queues.delete(queueKey(namespace, method))
  }

  get empty(): boolean {
    return this.#queues.size === 0
  }

  has(namespace: string, method: string): boolean {
    return this.#queues.has(queueKey(namespace, method))
  }

  /** Tells this replica and the others that jobs were queued, one hint for each queue. */
  announce(events: JobEvents, queued: Iterable<{ namespace: string; method: string }>): void {
    const queues = new Map<string, { namespace: string; method: string }>()
    for (const job of queued) queues.set(queueKey(job.namespace, job.method), job)
    for (const { namespace, method } of queues.values()) {
      this.add(namespace, method)
      events.queueReady(namespace, method)
    }
  }
}
