/**
 * Waits for jobs to end: for an inline wait, and for WaitJobs.
 *
 * Listen first, then read, then wait (guarantee 5): `follow` listens; `check` reads what may have ended before or elsewhere.
 * What the caller may not see is to a waiter as if it did not exist (guarantee 8): never read, never ended, never counted.
 */
import type { JobStanding } from '../domain/job.ts'
import { isTerminal } from '../domain/job-state.ts'
import type { JobFeed, JobListener } from './job-feed.ts'

/** Reads standings; concurrent reads share statements. */
export type ReadStandings = (ids: readonly string[]) => Promise<(JobStanding | undefined)[]>

export class Waiter implements Disposable {
  /** The jobs that have ended, and how. */
  readonly ended = new Map<string, JobStanding>()
  readonly #feed: JobFeed
  readonly #read: ReadStandings
  readonly #visible: (standing: JobStanding) => boolean
  readonly #caller: string
  readonly #open = new Map<string, () => void>()
  readonly #dirty = new Set<string>()
  #reading = false
  #progress: () => void = () => {}

  constructor(
    feed: JobFeed,
    read: ReadStandings,
    caller: string,
    visible: (standing: JobStanding) => boolean = () => true,
  ) {
    this.#feed = feed
    this.#read = read
    this.#visible = visible
    this.#caller = caller
  }

  /** Listens to a job. Calling it again with `elsewhere` widens the ear to other replicas. */
  follow(namespace: string, jobId: string, elsewhere: boolean): void {
    if (this.ended.has(jobId)) return
    const terms = { elsewhere, caller: this.#caller }
    this.#open.set(jobId, this.#feed.listen(namespace, jobId, this.#onHint(jobId), terms))
  }

  /** Stops listening to a job, so that its end counts for nothing. */
  leave(jobId: string): void {
    this.#open.get(jobId)?.()
    this.#open.delete(jobId)
    this.#listeners.delete(jobId)
    this.#dirty.delete(jobId)
  }

  readonly #listeners = new Map<string, JobListener>()

  /** One listener for each job, so that listening twice is listening once. */
  #onHint(jobId: string): JobListener {
    let listener = this.#listeners.get(jobId)
    if (listener === undefined) {
      listener = {
        hint: (hint, standing) => {
          if (standing?.completion !== undefined) this.end(standing)
          else if (hint === 'state') this.#lookAt(jobId)
        },
        found: (mark) => {
          if (mark !== undefined && isTerminal(mark.state)) this.#lookAt(jobId)
        },
      }
      this.#listeners.set(jobId, listener)
    }
    return listener
  }

  /** Reads where the jobs stand now; the answer has undefined for what does not exist, or not for the caller. */
  async check(ids: readonly string[]): Promise<(JobStanding | undefined)[]> {
    const found = await this.#read(ids)
    const standings = found.map((standing) => standing && this.#seen(standing))
    for (const standing of standings) if (standing?.completion !== undefined) this.end(standing)
    return standings
  }

  /** Takes note of an end that became known otherwise. */
  end(standing: JobStanding): void {
    if (this.#seen(standing) === undefined) return
    this.ended.set(standing.id, standing)
    this.leave(standing.id)
    this.#progress()
  }

  /** Resolves true when `count` jobs have ended, false at the timeout or when the signal aborts. */
  until(count: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.ended.size >= count) return Promise.resolve(true)
    if (timeoutMs <= 0 || signal.aborted) return Promise.resolve(false)
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', finish)
        this.#progress = () => {}
        resolve(this.ended.size >= count)
      }
      const timer = setTimeout(finish, timeoutMs)
      signal.addEventListener('abort', finish)
      this.#progress = () => {
        if (this.ended.size >= count) finish()
      }
    })
  }

  [Symbol.dispose](): void {
    for (const leave of this.#open.values()) leave()
    this.#open.clear()
  }

  #seen(standing: JobStanding): JobStanding | undefined {
    return this.#visible(standing) ? standing : undefined
  }

  /** Hints that carry no completion are answered by one read for all that came meanwhile. */
  #lookAt(jobId: string): void {
    this.#dirty.add(jobId)
    if (this.#reading) return
    this.#reading = true
    void this.#readDirty().finally(() => {
      this.#reading = false
    })
  }

  async #readDirty(): Promise<void> {
    while (this.#dirty.size > 0) {
      const ids = [...this.#dirty]
      this.#dirty.clear()
      try {
        await this.check(ids)
      } catch {
        // The database is away: the sweep will tell.
        return
      }
    }
  }
}
