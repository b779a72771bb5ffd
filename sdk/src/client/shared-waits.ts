/**
 * Clients of jobs on one connection whose rights are the same: their waits share one watch stream and one poll, so that thousands
 * of jobs that wait cost the scheduler one stream (row J11).
 *
 * 1. Calls are made in the name of one that is there, the speaker. Where it goes, or is no longer let in, the next one speaks.
 * 2. Whom the scheduler does not let in loses its own waits, and nobody else's.
 * 3. Who is closed is told, and hears nothing any more. With the last one the stream ends.
 */
import { status } from '@grpc/grpc-js'
import { closedError, OffstageError } from '../grpc/mod.ts'
import type { Calls } from './calls.ts'
import { type Follower, JobWatcher } from './job-watcher.ts'
import type { JobListener } from './tracked-job.ts'

/** All that are shared on one connection, by what says whose rights are the same. */
export class SharedWaits {
  readonly #groups = new Map<string, Group>()

  /** Takes no room until something is waited for. */
  memberOf(name: string, calls: Calls): Follower {
    return new Member(calls, (member) => {
      const known = this.#groups.get(name)
      const group = known ?? new Group(calls, () => void this.#groups.delete(name))
      if (known === undefined) this.#groups.set(name, group)
      group.members.add(member)
      return group
    })
  }
}

class Group {
  /** In the order they came. */
  readonly members = new Set<Member>()
  readonly watcher: JobWatcher
  readonly #onEmpty: () => void

  constructor({ identity: { namespace }, clock }: Calls, onEmpty: () => void) {
    this.#onEmpty = onEmpty
    this.watcher = new JobWatcher({ namespace, clock, call: (work) => this.#call(work) })
  }

  leave(member: Member): void {
    if (!this.members.delete(member) || this.members.size > 0) return
    this.#onEmpty()
    this.watcher.close()
  }

  async #call<T>(work: (calls: Calls) => T | Promise<T>): Promise<T> {
    for (;;) {
      const speaker = this.#speaker()
      if (speaker === undefined) throw closedError()
      try {
        return await work(speaker.calls)
      } catch (error) {
        if (speaker !== this.#speaker()) continue
        if (!isNotLetIn(error)) throw error
        speaker.lose(error)
      }
    }
  }

  /** Not one that is to stop: it may soon be gone, and its calls are repeated less often. */
  #speaker(): Member | undefined {
    let first: Member | undefined
    for (const member of this.members) {
      if (!member.calls.identity.signal?.aborted) return member
      first ??= member
    }
    return first
  }
}

class Member implements Follower {
  readonly calls: Calls
  readonly #join: (member: Member) => Group
  readonly #follows = new Map<JobListener, () => void>()
  #group: Group | undefined
  #isClosed = false

  constructor(calls: Calls, join: (member: Member) => Group) {
    this.calls = calls
    this.#join = join
  }

  follow(jobId: string, listener: JobListener): () => void {
    if (this.#isClosed) {
      listener.onLost(closedError())
      return () => {}
    }
    this.#group ??= this.#join(this)
    const leave = this.#group.watcher.follow(jobId, listener)
    this.#follows.set(listener, leave)
    return () => {
      this.#follows.delete(listener)
      leave()
    }
  }

  /** Its waits cannot go on; later ones may. */
  lose(error: unknown): void {
    const follows = [...this.#follows]
    this.#follows.clear()
    for (const [listener, leave] of follows) {
      leave()
      listener.onLost(error)
    }
    this.#group?.leave(this)
    this.#group = undefined
  }

  close(): void {
    this.#isClosed = true
    this.lose(closedError())
  }
}

/** By its token, or by having none any more. */
function isNotLetIn(error: unknown): boolean {
  if (!(error instanceof OffstageError)) return false
  return error.code === status.UNAUTHENTICATED || error.reason === 'ATTEMPT_NOT_HELD'
}
