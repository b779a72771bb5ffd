/**
 * Values that are the own of jobs (rows J3, S6): they go when their job is removed. The scheduler tells of those, until it is
 * told that they are gone; and once a day it is asked for each value, so that one that no job has ever named goes too. While it
 * cannot be asked nothing goes.
 */
import type { Hints } from '../ports/hints.ts'
import type { JobValueStore, JobValues } from '../ports/job-values.ts'
import { BATCH, inBatches } from './sweep-ended.ts'

export interface JobValueParts {
  readonly jobValues: JobValueStore
  /** Undefined: there is nobody to ask. */
  readonly jobs: JobValues | undefined
  readonly hints: Hints
}

/** Deletes what removed jobs have left. */
export async function sweepDiscarded(parts: JobValueParts, signal: AbortSignal): Promise<void> {
  const { jobValues, jobs, hints } = parts
  if (jobs === undefined || !(await jobValues.isAny())) return
  let done: readonly bigint[] = []
  await inBatches(signal, async () => {
    const discarded = await jobs.discarded(done, BATCH)
    const gone = discarded.length > 0 ? await jobValues.deleteDiscarded(discarded) : []
    for (const value of gone) hints.value('deleted', value)
    done = discarded.map(({ id }) => id)
    return discarded.length
  })
  if (done.length > 0) await jobs.discarded(done, 1)
}

/** Asks for the values whose time for it has come. */
export async function sweepUnnamed(parts: JobValueParts, signal: AbortSignal): Promise<void> {
  const { jobValues, jobs, hints } = parts
  if (jobs === undefined) return
  await inBatches(signal, async () => {
    const due = await jobValues.due(BATCH)
    if (due.length === 0) return 0
    const needed = await jobs.needed(due)
    await jobValues.keep(due.filter((address) => needed.has(address)))
    const needless = due.filter((address) => !needed.has(address))
    for (const value of await jobValues.deleteNeedless(needless)) hints.value('expired', value)
    return due.length
  })
}
