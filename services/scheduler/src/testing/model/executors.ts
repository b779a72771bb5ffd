/** Executors that come, break off, come back, go in order or die; rounds of leases. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { CancelOutcome } from '../../domain/cancel-outcome.ts'
import { isTerminal, JobState } from '../../domain/job-state.ts'
import { attachmentId, session } from '../session.ts'
import { command, type JobCommand } from './command.ts'
import {
  CRASH_LIMIT,
  isHeld,
  LEASE_ROUNDS,
  type Model,
  type ModelExecutor,
  type ModelJob,
} from './model.ts'
import type { Real } from './real.ts'

export const EXECUTORS = 3
const LIMIT = 1_000
const who = fc.nat(EXECUTORS - 1)

export function newExecutor(): ModelExecutor {
  return { session: session(newSession()).sessionKey, attachmentId: undefined, runs: new Map() }
}

/** Ids of attachments are as good as any. */
const newSession = () => attachmentId() as string

const attachOf = (of: Attach) =>
  command(`attach ${JSON.stringify(of)}`, (model, real) => attach(of, model, real))

export const attaches: fc.Arbitrary<JobCommand> = fc.record({ who, lost: fc.nat(7) }).map(attachOf)

/** All of them, as a story begins. */
export const firstAttaches: readonly JobCommand[] = Array.from({ length: EXECUTORS }, (_, nth) =>
  attachOf({ who: nth, lost: 0 }),
)

interface Attach {
  readonly who: number
  /** Bits of what it runs that it does not know of, as if the assignment had been lost. */
  readonly lost: number
}

async function attach({ who: nth, lost }: Attach, model: Model, real: Real) {
  const executor = model.executors[nth]
  if (executor === undefined) return
  const id = attachmentId()
  const told = { software: '', labels: {}, lanes: [], methods: [], pools: [], schemas: {} }
  const names = { namespace: 'default', name: 'x', scheduler: 'x', lostSessionKey: undefined }
  const running = [...executor.runs]
    .filter((_, place) => ((lost >> place) & 1) === 0)
    .map(([jobId, attempt]) => ({ jobId, attempt }))
  const record = { id, ...session(executor.session), ...names, ...told }
  const { adopted, requeued } = await real.attachments.attach(record, running)
  const own = (job: ModelJob) => isHeld(job) && sessionOf(job, model) === executor.session
  for (const job of model.all) if (!isTerminal(job.state)) job.crashes.delete(executor.session)
  const kept = running.flatMap(({ jobId, attempt }) => {
    const job = model.jobs.get(jobId)
    return job !== undefined && own(job) && job.attempt === attempt ? [job] : []
  })
  expect(adopted.jobs.map((job) => job.id).toSorted()).toEqual(kept.map((job) => job.id).toSorted())
  const rest = model.all.filter((job) => own(job) && !kept.includes(job))
  expect(requeued).toHaveLength(rest.length)
  for (const job of rest) model.letGo(job)
  for (const job of kept) job.holder = id
  for (const each of model.attachments.values()) {
    if (each.session !== executor.session) continue
    if (!each.isOver) each.endRound = model.round
    Object.assign(each, { isOver: true, lost: false })
  }
  const { round } = model
  const attachment = { session: executor.session, renewRound: round, inDoubt: false }
  model.attachments.set(id, { ...attachment, isOver: false, endRound: 0, lost: false })
  executor.attachmentId = id
  executor.runs.clear()
  for (const job of kept) executor.runs.set(job.id, job.attempt)
}

const sessionOf = ({ holder }: ModelJob, model: Model) =>
  holder === undefined ? undefined : model.attachments.get(holder)?.session

export const departures: fc.Arbitrary<JobCommand> = fc
  .record({ who, how: fc.constantFrom('breaks off', 'dies', 'leaves') })
  .map(({ who: nth, how }) =>
    command(`${nth} ${how}`, (model, real) => depart(nth, how, model, real)),
  )

async function depart(nth: number, how: string, model: Model, real: Real): Promise<void> {
  const executor = model.executors[nth]
  if (executor === undefined) return
  const { attachmentId: id } = executor
  executor.attachmentId = undefined
  if (how === 'breaks off') return
  executor.session = newSession()
  executor.runs.clear()
  if (how === 'dies' || id === undefined) return
  await real.attachments.end(id)
  const attachment = model.attachments.get(id)
  if (attachment?.isOver === false) {
    Object.assign(attachment, { isOver: true, endRound: model.round })
  }
}

/** Whoever has a stream is renewed, but for one, it may be; then the next round begins. After four whoever was silent is lost. */
export const rounds: fc.Arbitrary<JobCommand> = fc
  .record({ silent: fc.option(who, { nil: undefined }), times: fc.constantFrom(1, 4) })
  .map(({ silent, times }) =>
    command(`${times} rounds without ${silent}`, async (model, real) => {
      for (let begun = 0; begun < times; begun++) await round(silent, model, real)
    }),
  )

async function round(silent: number | undefined, model: Model, real: Real): Promise<void> {
  const heard = model.executors.filter(
    (executor) => executor !== model.executors[silent ?? -1] && executor.attachmentId !== undefined,
  )
  const held = await real.attachments.renew(
    heard.flatMap((executor) => executor.attachmentId ?? []),
  )
  for (const executor of heard) {
    if (executor.attachmentId === undefined) continue
    const attachment = model.attachments.get(executor.attachmentId)
    expect(held.has(executor.attachmentId)).toBe(attachment?.isOver === false)
    if (attachment === undefined || attachment.isOver) executor.attachmentId = undefined
    else Object.assign(attachment, { renewRound: model.round, inDoubt: false })
  }
  const begun = await real.leases.beginRound(model.round, LEASE_ROUNDS)
  model.round += 1
  expect(begun?.round).toBe(model.round)
  const lost: string[] = []
  for (const [id, attachment] of model.attachments) {
    if (attachment.isOver || attachment.renewRound > model.round - LEASE_ROUNDS) continue
    if (attachment.inDoubt) lost.push(id)
    if (attachment.inDoubt) attachment.endRound = model.round
    Object.assign(attachment, {
      lost: attachment.inDoubt,
      isOver: attachment.inDoubt,
      inDoubt: true,
    })
  }
  expect(begun?.lost.toSorted()).toEqual(lost.toSorted())
}

export const releases: fc.Arbitrary<JobCommand> = fc.constant(
  command('release what is lost', (model, real) => releaseLost(model, real)),
)

/** An executor dies, its lease runs out, and another comes in its stead. */
export const crashes: fc.Arbitrary<JobCommand> = who.map((nth) =>
  command(`${nth} crashes`, async (model, real) => {
    await depart(nth, 'dies', model, real)
    for (let begun = 0; begun < LEASE_ROUNDS + 2; begun++) await round(nth, model, real)
    await releaseLost(model, real)
    await attach({ who: nth, lost: 0 }, model, real)
  }),
)

async function releaseLost(model: Model, real: Real): Promise<void> {
  const released = await real.leases.releaseLost(LIMIT, CRASH_LIMIT)
  const gone = model.all.filter((job) => isHeld(job) && attachmentOf(job, model)?.isOver)
  expect(released).toHaveLength(gone.length)
  for (const job of gone) release(job, model)
}

/** What has been over since an earlier round, and holds nothing. */
export const forgettings: fc.Arbitrary<JobCommand> = fc.constant(
  command('forget who has gone', async (model, real) => {
    await real.leases.forgetEnded(0)
    const holders = new Set(model.all.filter(isHeld).map(({ holder }) => holder))
    for (const [id, { isOver, endRound }] of model.attachments) {
      if (isOver && endRound < model.round && !holders.has(id)) model.attachments.delete(id)
    }
  }),
)

export const orphanages: fc.Arbitrary<JobCommand> = fc.constant(
  command('take back from who is forgotten', async (model, real) => {
    const orphans = await real.sweeps.orphans(LIMIT)
    const lost = model.all.filter(
      (job) => isHeld(job) && job.holder !== undefined && attachmentOf(job, model) === undefined,
    )
    expect(orphans.map(({ jobId }) => jobId).toSorted()).toEqual(
      lost.map(({ id }) => id).toSorted(),
    )
    expect(await real.work.requeue(orphans)).toHaveLength(lost.length)
    for (const job of lost) model.letGo(job)
  }),
)

const attachmentOf = ({ holder }: ModelJob, model: Model) =>
  holder === undefined ? undefined : model.attachments.get(holder)

function release(job: ModelJob, model: Model): void {
  const attachment = attachmentOf(job, model)
  if (attachment === undefined) return
  const isAlive = [...model.attachments.values()].some(
    (other) => other.session === attachment.session && !other.isOver,
  )
  const isCharged = attachment.lost && !job.crashes.has(attachment.session) && !isAlive
  if (isCharged) job.crashes.add(attachment.session)
  if (isCharged && job.cancel === undefined && job.crashes.size >= CRASH_LIMIT) {
    job.outcome = CancelOutcome.unknown
    model.finish(job, JobState.failed)
  } else model.letGo(job)
}
