/**
 * Notes how fast queues are worked off, for whoever asks when a job will begin.
 *
 * Only a queue that has jobs shows how fast it could go. So every few seconds the database is asked which of the queues that
 * jobs were claimed from still have some; a sample is what began between two such looks. What is queued no more is forgotten
 * until something is claimed from it again: where nothing waits nothing is asked.
 */
import { createLoop, type Loop } from '@offstage/kit/lifecycle'
import type { ClaimedJob, QueueRef } from '../domain/held-job.ts'
import { Lane, type SlotLane } from '../domain/lane.ts'
import type { PacedQueue, PaceStore } from '../ports/pace.ts'

export interface PaceOptions {
  readonly store: Pick<PaceStore, 'record'>
  /** Tells its samples from those of other replicas. */
  readonly scheduler: string
  readonly everyMs: number
  onError(error: unknown): void
}

export interface Pace {
  /** These were claimed from these queues, to run in this lane. */
  note(
    namespace: string,
    lane: SlotLane,
    queues: readonly QueueRef[],
    jobs: readonly ClaimedJob[],
  ): void
  readonly loop: Loop
}

interface Watched extends Omit<PacedQueue, 'starts' | 'periodMs'> {
  starts: number
  /** When it was seen to have jobs, and its starts were counted from; undefined: not yet. */
  sinceMs: number | undefined
}

/** Those beyond have no estimates. */
const QUEUES_MAX = 10_000

export function createPace(options: PaceOptions): Pace {
  const watched = new Map<string, Watched>()

  async function look(): Promise<void> {
    if (watched.size === 0) return
    const looked = [...watched]
    const nowMs = performance.now()
    const queues = looked.map(([, { sinceMs, ...queue }]) => ({
      ...queue,
      periodMs: sinceMs === undefined ? undefined : nowMs - sinceMs,
    }))
    const open = await options.store.record(options.scheduler, queues)
    for (const [index, [key, queue]] of looked.entries()) {
      // What was claimed meanwhile is of the next sample.
      queue.starts -= queues[index]?.starts ?? 0
      queue.sinceMs = open.has(index) ? nowMs : undefined
      if (queue.sinceMs === undefined && queue.starts === 0) watched.delete(key)
    }
  }

  return {
    note(namespace, lane, queues, jobs) {
      for (const { method, pool = '' } of jobs) {
        const key = `${namespace} ${method} ${lane} ${pool}`
        let queue = watched.get(key)
        if (queue === undefined) {
          if (watched.size >= QUEUES_MAX) continue
          const isOwnLane = queues.some(
            (each) => each.method === method && each.lane === Lane.ofMethod,
          )
          queue = { namespace, method, lane, pool, isOwnLane, starts: 0, sinceMs: undefined }
          watched.set(key, queue)
        }
        queue.starts += 1
      }
    },
    loop: createLoop({
      name: 'pace of queues',
      everyMs: options.everyMs,
      timeoutMs: 30_000,
      run: look,
      onError: options.onError,
    }),
  }
}
