import type { JobReads } from '../ports/job-reads.ts'
import type { JobFeed } from './job-feed.ts'

const CHUNK = 10_000

/**
 * Compares every job somebody waits for with how it was the last time, so that a lost hint costs one period and never an answer
 * (guarantee 4). Of those that are as they were nothing is read, told or read again.
 */
export async function compareAwaited(
  feed: JobFeed,
  store: Pick<JobReads, 'readNews'>,
  signal: AbortSignal,
): Promise<void> {
  const jobs = feed.awaited()
  for (let from = 0; from < jobs.length; from += CHUNK) {
    if (signal.aborted) return
    for (const { id, mark } of await store.readNews(jobs.slice(from, from + CHUNK))) {
      feed.found(id, mark)
    }
  }
  feed.swept()
}
