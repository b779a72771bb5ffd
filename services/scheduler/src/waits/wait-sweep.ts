import type { JobReads } from '../ports/job-reads.ts'
import type { JobFeed } from './job-feed.ts'

const CHUNK = 2_000

/** Reads every job somebody waits for, so that a lost hint costs one period and never an answer (guarantee 4). */
export async function readAwaited(
  feed: JobFeed,
  store: Pick<JobReads, 'readStandings'>,
  signal: AbortSignal,
): Promise<void> {
  const ids = feed.jobIds()
  for (let from = 0; from < ids.length && !signal.aborted; from += CHUNK) {
    for (const standing of await store.readStandings(ids.slice(from, from + CHUNK))) {
      feed.tell(standing.id, 'state', standing.completion && standing)
    }
  }
}
