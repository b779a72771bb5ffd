import { createLoop, type Loop } from '@offstage/kit/lifecycle'
import type { JobStore } from '../ports.ts'
import type { JobFeed } from './job-feed.ts'

const CHUNK = 2_000

/** Reads every job somebody waits for, so that a lost hint costs one period and never an answer (guarantee 4). */
export function createWaitSweep(options: {
  readonly feed: JobFeed
  readonly store: JobStore
  readonly everyMs: number
  onError(error: unknown): void
}): Loop {
  const { feed, store, everyMs, onError } = options
  return createLoop({
    name: 'wait sweep',
    everyMs,
    timeoutMs: 30_000,
    onError,
    async run(signal) {
      const ids = feed.jobIds()
      for (let from = 0; from < ids.length && !signal.aborted; from += CHUNK) {
        for (const standing of await store.readStandings(ids.slice(from, from + CHUNK))) {
          feed.tell(standing.id, 'state', standing.completion && standing)
        }
      }
    },
  })
}
