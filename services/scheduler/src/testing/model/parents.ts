/** Parents whose handlers have returned, and attached children that nobody waits for any more (row A5). */
import fc from 'fast-check'
import { expect } from 'vitest'
import { createParents } from '../../dispatch/parents.ts'
import { CancelOutcome } from '../../domain/cancel-outcome.ts'
import { isTerminal, JobState } from '../../domain/job-state.ts'
import { cancelJob } from './callers.ts'
import { command, type JobCommand } from './command.ts'
import type { Model, ModelJob } from './model.ts'
import type { Real } from './real.ts'

const LIMIT = 1_000

export const parentEnds: fc.Arbitrary<JobCommand> = fc.constant(
  command('end parents that have nothing left to wait for', endParents),
)

/** One that ends may be what another waits for: that is ended by the next look. */
async function endParents(model: Model, real: Real): Promise<void> {
  const waiting = model.all.filter(
    ({ state, holder }) => state === JobState.waiting && holder === undefined,
  )
  const ends = waiting.flatMap((job) => {
    const state = endOf(job, model)
    return state === undefined ? [] : [{ job, state }]
  })
  const ended: string[] = []
  const { sweep } = createParents({
    store: real.parents,
    changed: (jobs) => void ended.push(...jobs.map(({ id }) => id)),
    onError: (error) => {
      throw error
    },
  })
  await sweep()
  expect(ended.toSorted()).toEqual(ends.map(({ job }) => job.id).toSorted())
  for (const { job, state } of ends) {
    const outcome =
      state === JobState.canceled ? CancelOutcome.stopped : CancelOutcome.finishedAnyway
    if (job.cancel !== undefined) job.outcome = outcome
    model.finish(job, state)
  }
}

/** Undefined while it waits. A cancel that stopped none of them came too late. */
function endOf(job: ModelJob, model: Model): JobState | undefined {
  const children = model.attachedOf(job)
  const isOpen = children.some(({ state }) => !isTerminal(state))
  const didFail = children.some(({ state }) => isTerminal(state) && state !== JobState.succeeded)
  if (job.cancel !== undefined) {
    if (isOpen) return undefined
    return didFail ? JobState.canceled : JobState.succeeded
  }
  const { policy = 'all', totalDeadline = Number.POSITIVE_INFINITY } = job
  if (didFail && policy === 'first') return JobState.failed
  if (isOpen) return totalDeadline <= model.now ? JobState.failed : undefined
  return didFail && policy === 'all' ? JobState.failed : JobState.succeeded
}

/** Their parent has ended, or is gone, or tries again. */
export const abandonments: fc.Arbitrary<JobCommand> = fc.constant(
  command('cancel attached children that are left behind', async (model, real) => {
    const found = await real.parents.findLeftBehind(LIMIT)
    const left = model.all.filter((job) => isLeftBehind(job, model))
    expect(found.map(({ id }) => id).toSorted()).toEqual(left.map(({ id }) => id).toSorted())
    for (const job of left) await cancelJob(job, false, model, real)
  }),
)

function isLeftBehind(job: ModelJob, model: Model): boolean {
  const goesOn = !isTerminal(job.state) && job.cancel === undefined
  return job.attachedTo !== undefined && goesOn && !model.countsForParent(job)
}
