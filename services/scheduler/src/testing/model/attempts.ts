/** Claims of what has no limits, and what executors say of what they run, be it theirs still or not. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { CancelOutcome } from '../../domain/cancel-outcome.ts'
import { JobState } from '../../domain/job-state.ts'
import { Lane } from '../../domain/lane.ts'
import { command, type JobCommand } from './command.ts'
import {
  ATTEMPTS_MAX,
  BACKOFF_HOURS,
  isHeld,
  LIMITED,
  type Method,
  type Model,
  type ModelExecutor,
  type ModelJob,
  PLAIN,
} from './model.ts'
import type { Real } from './real.ts'

const HOUR_MS = 3_600_000

export const pools = fc.subarray(['', 'p'], { minLength: 1 })
export const queueRefs = (methods: readonly Method[], served: readonly string[]) =>
  methods.flatMap((method) => served.map((pool) => ({ method, lane: Lane.inline, pool })))

export const claims: fc.Arbitrary<JobCommand> = fc
  .record({ who: fc.nat(5), slots: fc.integer({ min: 1, max: 4 }), pools })
  .map((of) =>
    command(`claim ${JSON.stringify(of)}`, (model, real) => claim(of, model, real), hasServed),
  )

export interface Claim {
  readonly who: number
  readonly slots: number
  readonly pools: readonly string[]
}

/** A method that has limits is not claimed so, though it is asked for. */
async function claim({ who, slots, pools: served }: Claim, model: Model, real: Real) {
  const executor = model.served(who)
  if (executor === undefined) return
  const ids = Array.from({ length: slots }, () => executor.attachmentId)
  const { jobs } = await real.work.claim('default', queueRefs([PLAIN, LIMITED], served), ids)
  const methods = model.limits === undefined ? ([PLAIN, LIMITED] as const) : ([PLAIN] as const)
  const expected = methods
    .flatMap((method) => claimable(model, method, served))
    .toSorted((a, b) => b.priority - a.priority || a.startHour - b.startHour || a.nth - b.nth)
    .slice(0, slots)
  expect(idsOf(jobs)).toEqual(idsOf(expected))
  for (const job of expected) model.claim(job, executor)
}

export const claimable = (model: Model, method: Method, served: readonly string[]) =>
  model.queued(method).filter(({ pool }) => served.includes(pool) && model.isOpen(method, pool))

export const idsOf = (jobs: readonly { readonly id: string }[]) =>
  jobs.map(({ id }) => id).toSorted()

export const hasServed = (model: Readonly<Model>) =>
  model.executors.some(({ attachmentId }) => attachmentId !== undefined)
const hasRun = (model: Readonly<Model>) =>
  model.executors.some(({ attachmentId, runs }) => attachmentId !== undefined && runs.size > 0)

/** What executors end an attempt with. */
const WORDS = ['succeeded', 'failed', 'failed for good', 'canceled', 'never started'] as const
type Word = (typeof WORDS)[number]

export const ends: fc.Arbitrary<JobCommand> = fc
  .record({ who: fc.nat(5), nth: fc.nat(5), word: fc.constantFrom(...WORDS) })
  .map((of) => command(`end ${JSON.stringify(of)}`, (model, real) => end(of, model, real), hasRun))

async function end(
  { who, nth, word }: { who: number; nth: number; word: Word },
  model: Model,
  real: Real,
): Promise<void> {
  const spoken = speak(model, who, nth)
  if (spoken === undefined) return
  const { key, job, executor } = spoken
  executor.runs.delete(key.jobId)
  const failures = (job?.failures ?? 0) + 1
  const state = stateFor(word, failures)
  const isPlain = word === 'succeeded' && !(await isParent(job, key, real))
  const changed = isPlain
    ? (await real.work.succeed([{ ...key, result: undefined }])).size
    : (
        await real.work.end([
          {
            ...key,
            state,
            ...{ result: undefined, additionalResult: undefined },
            error: word.startsWith('failed')
              ? { brief: 'x', detail: '', reason: 'X', retryable: word === 'failed' }
              : undefined,
            backoffMs: BACKOFF_HOURS * HOUR_MS,
            neverStarted: word === 'never started',
          },
        ])
      ).length
  expect(changed).toBe(job === undefined ? 0 : 1)
  if (job !== undefined) finish(job, state, word, model)
}

/** What has had attached children is left out by the statement of plain ends. */
async function isParent(
  job: ModelJob | undefined,
  key: NonNullable<ReturnType<typeof speak>>['key'],
  real: Real,
): Promise<boolean> {
  if (job?.hasAttached !== true) return false
  expect((await real.work.succeed([{ ...key, result: undefined }])).size).toBe(0)
  return true
}

function stateFor(word: Word, failures: number): JobState {
  if (word === 'succeeded') return JobState.succeeded
  if (word === 'failed' && failures < ATTEMPTS_MAX) return JobState.scheduled
  return word.startsWith('failed') ? JobState.failed : JobState.canceled
}

function finish(job: ModelJob, state: JobState, word: Word, model: Model): void {
  const { cancel } = job
  const isUnasked = state === JobState.canceled && cancel === undefined
  if (word.startsWith('failed') || isUnasked) job.failures += 1
  if (cancel !== undefined) job.outcome = outcomeOf(state, word)
  if (state === JobState.scheduled) job.due = model.now + BACKOFF_HOURS
  if (state === JobState.scheduled && job.hasAttached) job.attachedAfter = job.attempt
  if (state === JobState.scheduled && cancel === undefined) {
    job.state = state
    job.holder = undefined
  } else if (state === JobState.scheduled) model.finish(job, JobState.canceled)
  else if (state === JobState.succeeded && job.hasAttached) {
    job.state = JobState.waiting
    job.holder = undefined
  } else model.finish(job, isUnasked ? JobState.failed : state)
}

function outcomeOf(state: JobState, word: Word): CancelOutcome {
  if (word === 'never started') return CancelOutcome.neverStarted
  return state === JobState.scheduled || state === JobState.canceled
    ? CancelOutcome.stopped
    : CancelOutcome.finishedAnyway
}

/** Of what the executor runs as it believes; the job, where its word counts. */
function speak(model: Model, who: number, nth: number) {
  const talking = model.executors.filter(
    ({ attachmentId, runs }) => attachmentId !== undefined && runs.size > 0,
  )
  const executor = talking[who % Math.max(talking.length, 1)]
  const run = executor && [...executor.runs][nth % executor.runs.size]
  if (executor?.attachmentId === undefined || run === undefined) return undefined
  const [jobId, attempt] = run
  const { attachmentId } = executor
  const job = model.jobs.get(jobId)
  const counts =
    job !== undefined && isHeld(job) && job.holder === attachmentId && job.attempt === attempt
  return { key: { jobId, attachmentId, attempt }, job: counts ? job : undefined, executor }
}

export const handBacks: fc.Arbitrary<JobCommand> = told(
  'hand back',
  async (spoken, model, real) => {
    const { key, job, executor } = spoken
    executor.runs.delete(key.jobId)
    expect(await real.work.requeue([key])).toHaveLength(job === undefined ? 0 : 1)
    if (job !== undefined) model.letGo(job)
  },
)

export const waits: fc.Arbitrary<JobCommand> = told(
  'wait, or go on',
  async ({ key, job }, _, real) => {
    const waiting = job?.state === JobState.running
    await real.work.setWaiting([key], waiting)
    if (job !== undefined) job.state = waiting ? JobState.waiting : JobState.running
  },
)

interface Spoken {
  readonly key: NonNullable<ReturnType<typeof speak>>['key']
  readonly job: ModelJob | undefined
  readonly executor: ModelExecutor
}

function told(
  text: string,
  run: (spoken: Spoken, model: Model, real: Real) => Promise<void>,
): fc.Arbitrary<JobCommand> {
  return fc.record({ who: fc.nat(5), nth: fc.nat(5) }).map(({ who, nth }) =>
    command(
      `${text} ${who} ${nth}`,
      async (model, real) => {
        const spoken = speak(model, who, nth)
        if (spoken !== undefined) await run(spoken, model, real)
      },
      hasRun,
    ),
  )
}
