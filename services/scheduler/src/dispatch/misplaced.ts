/**
 * Jobs claimed for executors whose schema their parameters do not fit, while others are attached that would take them: of a schema
 * that was announced on another replica this one hears only after a while (methods.ts). What fits nobody's any more is no such job.
 */
import type { AttemptKey, ClaimedJob } from '../domain/held-job.ts'
import type { Methods } from '../executors/methods.ts'

export interface MisplacedOptions {
  readonly methods: Pick<Methods, 'find'>
  onError(error: unknown): void
}

export interface Placed {
  readonly kept: readonly ClaimedJob[]
  readonly misplaced: readonly AttemptKey[]
}

/** Asks the database where it may be so. Where that cannot be asked they are misplaced: an executor would fail them. */
export async function withoutMisplaced(
  { methods, onError }: MisplacedOptions,
  schemaOf: ReadonlyMap<string, string>,
  jobs: readonly ClaimedJob[],
): Promise<Placed> {
  const isMisfit = ({ method, options }: ClaimedJob) =>
    options?.misfits?.includes(schemaOf.get(method) ?? '') === true
  const misplaced: AttemptKey[] = []
  const kept: ClaimedJob[] = []
  const isApart = new Map<string, Promise<boolean>>()
  for (const job of jobs) {
    const { namespace, method } = job
    if (isMisfit(job)) {
      const known = isApart.get(method) ?? hasOthers(methods, namespace, method).catch(fail)
      isApart.set(method, known)
      if (await known) {
        misplaced.push({ jobId: job.id, attachmentId: job.attachmentId, attempt: job.attempt })
        continue
      }
    }
    kept.push(job)
  }
  return { kept, misplaced }

  function fail(error: unknown): boolean {
    onError(error)
    return true
  }
}

async function hasOthers(
  methods: MisplacedOptions['methods'],
  namespace: string,
  method: string,
): Promise<boolean> {
  const found = await methods.find(namespace, method)
  if (found === undefined || 'unreadable' in found) return false
  return found.earlierParamsSchemas !== undefined
}
