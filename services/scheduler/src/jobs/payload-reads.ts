/** Whoever reads what is in the jobs of others is recorded before it is told (row P7). */
import { actOn } from '../domain/act.ts'
import type { JobStanding } from '../domain/job.ts'
import type { ActStore } from '../ports/acts.ts'
import type { Caller } from './caller.ts'
import { sightOf } from './sight.ts'

type Read = Pick<JobStanding, 'id' | 'namespace' | 'owner'>

/** Undefined where all are the caller's own, or are told without their payloads. */
export type RecordReads = (
  caller: Caller,
  namespace: string,
  jobs: readonly Read[],
) => Promise<void> | undefined

export function createRecordReads(acts: Pick<ActStore, 'record'>): RecordReads {
  return (caller, namespace, jobs) => {
    const read = jobs.filter(
      (job) => job.owner !== caller.user && sightOf(caller, job) === 'payload',
    )
    return read.length === 0 ? undefined : acts.record(actOn(caller, namespace, read, 'OK'))
  }
}
