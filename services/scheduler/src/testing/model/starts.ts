/** Starts: many at once, with keys, request ids, parents, delays, deadlines; at once, queued, or behind a key. */
import fc from 'fast-check'
import { v7 } from 'uuid'
import { expect } from 'vitest'
import { CHILDREN_POLICY_NAMES } from '../../domain/attached-children.ts'
import { CancelOutcome } from '../../domain/cancel-outcome.ts'
import type { NewJob } from '../../domain/held-job.ts'
import { isTerminal, JobState } from '../../domain/job-state.ts'
import { Lane } from '../../domain/lane.ts'
import { startCommand } from '../start-command.ts'
import { command, type JobCommand } from './command.ts'
import { beginTogether } from './in-turn.ts'
import {
  isHeld,
  LIMITED,
  type Model,
  type ModelExecutor,
  type ModelJob,
  type ModelStart,
  PLAIN,
} from './model.ts'
import type { Real } from './real.ts'

const HOUR_MS = 3_600_000
const FLOOD = 12

interface Asked
  extends Omit<ModelStart, 'id' | 'parentId' | 'owner' | 'key' | 'requestId' | 'limitKey'> {
  /** By their places among the words of the story; of keys and request ids undefined: none. */
  readonly owner: number
  readonly key: number | undefined
  readonly requestId: number | undefined
  /** The expression of the limits says nothing of it; else it is the owner. */
  readonly ofNoKey: boolean
  /** Undefined: none. Of one that was removed meanwhile, too. */
  readonly parent: number | undefined
  /** The start is one that was made before, by its id. */
  readonly again: number | undefined
  readonly atOnce: number | undefined
  readonly queuesBehind: boolean
}

const often = <T>(value: T, rarely: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: rarely })
const hours = fc.constantFrom(0.5, 1.5)
const policy = fc.option(fc.constantFrom(...CHILDREN_POLICY_NAMES), { nil: undefined, freq: 2 })

const asked: fc.Arbitrary<Asked> = fc.record({
  owner: fc.nat(2),
  admin: often(true, fc.constant(false)),
  ofNoKey: often(false, fc.constant(true)),
  method: fc.constantFrom(PLAIN, LIMITED),
  pool: often('', fc.constant('p')),
  key: often(undefined, fc.nat(1)),
  priority: often(0, fc.integer({ min: -1, max: 1 })),
  requestId: often(undefined, fc.nat(1)),
  parent: fc.option(fc.nat(20), { nil: undefined, freq: 2 }),
  cancelWithParent: fc.boolean(),
  attached: fc.boolean(),
  policy,
  delayHours: often(0, hours),
  queueHours: often(undefined, hours),
  totalHours: often(undefined, hours),
  again: often(undefined, fc.nat(20)),
  atOnce: fc.option(fc.nat(5), { nil: undefined }),
  queuesBehind: fc.boolean(),
})

export const starts: fc.Arbitrary<JobCommand> = fc
  .array(asked, { minLength: 1, maxLength: 2 })
  .map((batch) =>
    command(`start ${JSON.stringify(batch)}`, (model, real) => start(batch, model, real)),
  )

/** Says nothing but its method. */
const PLAINLY: Asked = {
  ...{ owner: 0, admin: true, ofNoKey: false, method: PLAIN, pool: '', priority: 0, delayHours: 0 },
  ...{ key: undefined, requestId: undefined, parent: undefined, again: undefined },
  ...{ atOnce: undefined, queueHours: undefined, totalHours: undefined },
  ...{ cancelWithParent: false, attached: false, policy: undefined, queuesBehind: false },
}

/** Of one owner, all at once. */
export const floods: fc.Arbitrary<JobCommand> = fc.nat(2).map((owner) => {
  const flood = Array.from({ length: FLOOD }, (): Asked => ({ ...PLAINLY, owner, method: LIMITED }))
  return command(`flood of ${owner}`, (model, real) => start(flood, model, real))
})

/** A job that begins, if it can, and attached children of it, with a stranger among them. */
export const families: fc.Arbitrary<JobCommand> = fc
  .record({
    ...{ atOnce: fc.nat(5), children: fc.integer({ min: 1, max: 2 }), policy },
    totalHours: often(undefined, hours),
  })
  .map(({ atOnce, children, policy, totalHours }) =>
    command(`family of ${children}, ${policy}, ${totalHours}`, async (model, real) => {
      await start([{ ...PLAINLY, atOnce, policy, totalHours }], model, real)
      const child = { ...PLAINLY, parent: model.jobs.size - 1, attached: true, atOnce }
      await start([...Array.from({ length: children }, () => child), PLAINLY], model, real)
    }),
  )

interface Placed {
  readonly asked: Asked
  readonly start: ModelStart
  readonly executor: ModelExecutor | undefined
  readonly job: NewJob
}

async function start(batch: readonly Asked[], model: Model, real: Real) {
  const placed = apart(batch).map((one) => place(one, model))
  const begins = eager(placed, model)
  const states = await real.calls.insert(
    placed.map(({ job }) => job),
    model.seenEpoch,
  )
  const refused: Placed[] = []
  for (const [place, one] of placed.entries()) {
    const job = recorded(one.start, begins.has(place) ? one.executor : undefined, model)
    expect(states.get(one.start.id)).toBe(job?.state)
    if (job === undefined) refused.push(one)
  }
  await resolve(refused, model, real)
}

/** Of those that are in each other's way any may be recorded: the first is asked for alone. */
function apart(batch: readonly Asked[]): Asked[] {
  const same = (one: Asked, other: Asked) =>
    (one.key !== undefined && one.key === other.key) ||
    (one.requestId !== undefined && one.requestId === other.requestId) ||
    (one.again !== undefined && other.again !== undefined)
  return batch.filter((one, place) => !batch.slice(0, place).some((other) => same(one, other)))
}

function place(one: Asked, model: Model): Placed {
  const { atOnce, parent, again } = one
  const before = again === undefined ? undefined : model.nthJob(again)
  const id = before?.id ?? v7()
  const parentId = parent === undefined ? '' : (model.nthJob(parent)?.id ?? v7())
  const { owners, keys, requestIds } = model.words
  const owner = owners[one.owner] ?? ''
  const attached = one.attached && parentId !== ''
  const start = {
    ...{ ...one, id, parentId, owner, attached },
    cancelWithParent: one.cancelWithParent || attached,
    key: keys[one.key ?? -1] ?? '',
    requestId: before === undefined ? (requestIds[one.requestId ?? -1] ?? '') : id,
    limitKey: one.ofNoKey ? '' : owner,
  }
  const executor =
    atOnce === undefined || one.delayHours > 0 || !mayBeginAtOnce(one, model)
      ? undefined
      : model.served(atOnce)
  const withinLimits =
    one.method === LIMITED && model.limits !== undefined && executor !== undefined
  const job: NewJob = {
    id,
    command: commandOf(start),
    lane: Lane.inline,
    attachmentId: executor?.attachmentId,
    ...(withinLimits && { withinLimits }),
  }
  return { asked: one, start, executor, job }
}

/** What a rate is about has to be claimed. */
function mayBeginAtOnce({ method, pool }: Asked, model: Model): boolean {
  const { whole, perKey } = model.limits ?? {}
  const hasRate = whole?.rate !== undefined || perKey?.rate !== undefined
  return model.isOpen(method, pool) && !(hasRate && method === LIMITED)
}

function commandOf(start: ModelStart) {
  const { delayHours, queueHours, totalHours, cancelWithParent, limitKey, method } = start
  const { attached: isAttached, policy: childrenPolicy } = start
  const options = {
    ...(childrenPolicy !== undefined && { childrenPolicy }),
    ...(cancelWithParent && { cancelWithParent }),
    ...(queueHours !== undefined && { queueDeadlineMs: queueHours * HOUR_MS }),
    ...(totalHours !== undefined && { totalDeadlineMs: totalHours * HOUR_MS }),
  }
  const { owner, admin, pool, key, priority, requestId, parentId } = start
  return startCommand({
    ...{ owner, admin, method, pool, key, priority, requestId, parentId },
    delayMs: delayHours * HOUR_MS,
    options: Object.keys(options).length > 0 ? options : undefined,
    ...(method === LIMITED && { limitKey }),
    ...(isAttached && { isAttached }),
  })
}

/** By their places, those that begin at once where nothing else is in their way. */
function eager(placed: readonly Placed[], model: Model): Set<number> {
  if (model.seenEpoch !== model.epoch) return new Set()
  const places = [...placed.keys()].filter((place) => placed[place]?.executor !== undefined)
  const { limits } = model
  if (limits === undefined) return new Set(places)
  const isLimited = (place: number) => placed[place]?.start.method === LIMITED
  const limited = places.filter(isLimited)
  const keys = limited.map((place) => placed[place]?.start.limitKey ?? '')
  const begun = beginTogether(keys, model.queued(LIMITED), model.running(LIMITED), limits)
  return new Set(places.filter((place) => !isLimited(place) || begun.has(limited.indexOf(place))))
}

/** It was started by the same request. */
const isAsked = (job: ModelJob, { owner, requestId }: ModelStart) =>
  requestId !== '' && job.requestId === requestId && job.owner === owner
const isWaiting = ({ state, behind }: ModelJob) => behind && state === JobState.scheduled

/** The job as it is there then; undefined where another is in the way, or its parent is missing. */
function recorded(
  spec: ModelStart,
  executor: ModelExecutor | undefined,
  model: Model,
  behind = false,
): ModelJob | undefined {
  const { id, parentId, method, key, delayHours } = spec
  const parent = model.parentOf(spec)
  if (parentId !== '' && lacksParent(spec, model)) return undefined
  const isDoomed = (parent?.cancel?.cascade || (parent?.cancel && spec.cancelWithParent)) ?? false
  if (!behind && model.ofKey(method, key).waiting.some(isWaiting)) return undefined
  if (model.jobs.has(id)) return undefined
  if (model.all.some((job) => isAsked(job, spec))) return undefined
  if (!isDoomed && !behind && model.ofKey(method, key).holder !== undefined) return undefined
  const runs = isDoomed || behind ? undefined : executor
  const job = newJob(spec, model, behind)
  if (spec.attached && parent !== undefined) parent.hasAttached = true
  if (isDoomed) {
    model.finish(job, JobState.canceled)
    job.cancel = { cascade: false, hour: model.now, deadline: Number.POSITIVE_INFINITY }
    job.outcome = CancelOutcome.neverStarted
  } else if (delayHours > 0 || behind) job.state = JobState.scheduled
  else if (runs !== undefined) model.claim(job, runs)
  model.jobs.set(id, job)
  return job
}

/** There is none, or none that would wait for it. */
function lacksParent(spec: ModelStart, model: Model): boolean {
  const parent = model.parentOf(spec)
  return parent === undefined || (spec.attached && isTerminal(parent.state))
}

function newJob(spec: ModelStart, model: Model, behind: boolean): ModelJob {
  const { delayHours, queueHours, totalHours } = spec
  const parent = spec.attached ? model.parentOf(spec) : undefined
  const then = (h: number | undefined) => (h === undefined ? undefined : model.now + h)
  model.started += 1
  return {
    ...spec,
    nth: model.started,
    startHour: model.now,
    state: JobState.queued,
    attempt: 0,
    failures: 0,
    crashes: new Set(),
    holder: undefined,
    behind,
    due: then(delayHours || undefined),
    queueDeadline: then(queueHours),
    totalDeadline: then(totalHours),
    cancel: undefined,
    outcome: CancelOutcome.unknown,
    attachedTo: parent?.id,
    // Of one that does not run it is the attempt to come.
    attachedAttempt: parent === undefined ? 0 : parent.attempt + (isHeld(parent) ? 0 : 1),
    hasAttached: false,
    attachedAfter: -1,
    renewedAttempt: 0,
    finishHour: undefined,
    pinned: false,
    retriedBy: new Set(),
  }
}

/** Who is in the way of each is found, and starts that ask for it wait for their keys. */
async function resolve(refused: readonly Placed[], model: Model, real: Real) {
  if (refused.length === 0) return
  const found = await real.calls.findExisting(refused.map(({ job }) => job))
  for (const [place, { start: spec }] of refused.entries()) {
    const { id, owner, method, key } = spec
    const same = model.all.find(
      (each) => (each.id === id && each.owner === owner) || isAsked(each, spec),
    )
    const { holder, waiting } = model.ofKey(method, key)
    const inTheWay = same ?? holder ?? waiting.find(isWaiting)
    expect(found[place]?.id).toBe(inTheWay?.id)
    if (inTheWay === undefined) {
      expect(model.jobs.has(id) || lacksParent(spec, model)).toBe(true)
    }
  }
  const behind = refused.filter(
    ({ asked }, place) => found[place]?.by === 'key' && asked.queuesBehind,
  )
  const states = await real.calls.insertBehindKey(
    behind.map(({ job }) => ({ ...job, attachmentId: undefined, withinLimits: false })),
  )
  for (const { start: spec } of behind) {
    expect(states.get(spec.id)).toBe(recorded(spec, undefined, model, true)?.state)
  }
}
