import type { Actor } from '@offstage/kit/auth'
import type { AskedJob, JobStanding } from '../domain/job.ts'
import { overloaded } from '../refusals.ts'
import { createBatcher } from '../statements/batcher.ts'
import { ownerSeen } from './sight.ts'

/** Reads of one caller, who takes turns with others; undefined is what does not exist for them. */
export type ReadFor<Found> = (
  actor: Actor,
  namespace: string,
) => (ids: readonly string[]) => Promise<(Found | undefined)[]>

/** Reads that come while a statement is in flight share the next one, which reads at most `maxItems` jobs. */
export function createSharedReads<Found extends JobStanding>(
  read: (asked: readonly AskedJob[]) => Promise<Found[]>,
  maxItems: number,
): ReadFor<Found> {
  const reads = createBatcher<AskedJob, Found | undefined>({
    async run(asked) {
      const found = new Map((await read(asked)).map((job) => [job.id, job]))
      return asked.map((one) => {
        const job = found.get(one.id)
        return job !== undefined && isFor(one, job) ? job : undefined
      })
    },
    maxItems,
    maxQueued: 100_000,
    concurrency: 2,
    overflow: () => overloaded('reads'),
  })
  return (actor, namespace) => {
    const owner = ownerSeen(actor)
    return (ids) =>
      reads.add(
        ids.map((id) => ({ id, namespace, owner })),
        actor.user,
      )
  }
}

/** Another, whose it is, may have asked for it at the same time. */
function isFor({ namespace, owner }: AskedJob, job: JobStanding): boolean {
  return job.namespace === namespace && (owner === undefined || job.owner === owner)
}
