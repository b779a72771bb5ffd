import type { JobStanding } from '../domain/job.ts'
import type { JobReads } from '../ports/job-reads.ts'
import { overloaded } from '../refusals.ts'
import { createBatcher } from '../statements/batcher.ts'
import type { ReadStandings } from '../waits/waiter.ts'

/** Reads of one caller, who takes turns with others. */
export type ReadStandingsFor = (caller: string) => ReadStandings

/** Reads that come while a statement is in flight share the next one. */
export function createReadStandings(store: Pick<JobReads, 'readStandings'>): ReadStandingsFor {
  const reads = createBatcher<string, JobStanding | undefined>({
    async run(ids) {
      const standings = await store.readStandings(ids)
      const byId = new Map(standings.map((standing) => [standing.id, standing]))
      return ids.map((id) => byId.get(id))
    },
    maxItems: 2_000,
    maxQueued: 100_000,
    concurrency: 2,
    overflow: () => overloaded('reads'),
  })
  return (caller) => (ids) => reads.add(ids, caller)
}
