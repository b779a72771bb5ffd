/**
 * Schedules that the code of an executor declares, brought in line with those there are (domain/declared-schedule.ts).
 *
 * Executors of one deployment and of two attach at the same time, to several replicas. What was decided is carried out if the
 * version that was applied last, and the schedule, are still what they were; else it is decided anew.
 */
import { actingFor, mayTouch } from '@offstage/kit/auth'
import { Refusal } from '@offstage/kit/grpc'
import {
  type Declaration,
  type DeclaredChange,
  decide,
  type Found,
  type Said,
} from '../domain/declared-schedule.ts'
import type { Schedule } from '../domain/schedule.ts'
import { nextDueByOther, nextDueOf } from '../domain/schedule-run.ts'
import type { Caller } from '../jobs/caller.ts'
import type {
  DeclaredScheduleStore,
  DeclaredStanding,
  DeclareStep,
  NewSchedule,
  ScheduleChange,
} from '../ports/schedules.ts'
import { invalidField, overloaded } from '../refusals.ts'
import { persist } from '../statements/persist.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import { checkJob, checkTiming, isTimingRefused } from './check-terms.ts'
import { scheduleIdTaken, scheduleUnreadable, scheduleVersionReused } from './refusals.ts'
import { noRoomFor } from './room.ts'
import { changedHere, type SchedulesOptions } from './schedules.ts'
import { inTurns } from './turns.ts'

export interface DeclareOptions
  extends Pick<
    SchedulesOptions,
    'store' | 'checkStart' | 'events' | 'wake' | 'newId' | 'ownerSchedulesMax'
  > {
  readonly declared: DeclaredScheduleStore
  onError(error: unknown): void
}

export interface DeclarationOutcome {
  readonly id: string
  readonly result: 'unchanged' | 'created' | 'changed' | 'removed' | Refusal
}

/** Tries again while the database is away, until the signal aborts. */
export type DeclareSchedules = (
  caller: Caller,
  namespace: string,
  declarations: readonly Declaration[],
  signal: AbortSignal,
) => Promise<readonly DeclarationOutcome[]>

/** Most are as they were: those are told by one statement. Each is done for itself: what fails undoes, and repeats, none of the others. */
export function createDeclareSchedules(options: DeclareOptions): DeclareSchedules {
  return async (caller, namespace, declarations, signal) => {
    const surely = <T>(ask: () => Promise<T>) => persist(ask, () => signal.aborted, options.onError)
    const compared = await surely(() => options.declared.compare(namespace, declarations))
    if (compared.kind !== 'done') return []
    const outcomes: DeclarationOutcome[] = []
    for (const [index, declaration] of declarations.entries()) {
      if (signal.aborted) break
      const known = knownResult(caller, namespace, declaration, compared.value[index])
      const attempt = declaring(options, caller, namespace, declaration)
      const done =
        known === undefined ? await surely(attempt) : { kind: 'done' as const, value: known }
      if (done.kind === 'done') outcomes.push({ id: declaration.id, result: done.value })
    }
    const moved = outcomes.some(({ result }) => result === 'created' || result === 'changed')
    if (moved) changedHere(options, namespace)
    return outcomes
  }
}

/**
 * To be called again where it fails. What was written by one whose answer is lost is found unchanged by the next: it came of this
 * declaration, or of one that said the same at that moment.
 */
function declaring(
  options: DeclareOptions,
  caller: Caller,
  namespace: string,
  declaration: Declaration,
): () => Promise<DeclarationOutcome['result']> {
  let written: DeclarationOutcome['result'] | undefined
  return async () => {
    const result = await declareOne(options, caller, namespace, declaration, (writes) => {
      written = writes
    })
    return result === 'unchanged' ? (written ?? result) : result
  }
}

function knownResult(
  caller: Caller,
  namespace: string,
  { id, version }: Declaration,
  standing: DeclaredStanding | undefined,
): DeclarationOutcome['result'] | undefined {
  if (standing === undefined || version > standing.version) return undefined
  const isSeen = mayTouch(caller, 'schedules.write', { namespace, owner: standing.owner })
  if (!isSeen) return standing.isThere ? scheduleIdTaken(id) : undefined
  const isReused = version === standing.version && !standing.isSame
  return isReused ? scheduleVersionReused(id, version) : 'unchanged'
}

/** Somebody else changes it in between: each time they have got on. */
const ROUNDS = 5

async function declareOne(
  options: DeclareOptions,
  caller: Caller,
  namespace: string,
  declaration: Declaration,
  /** Is told what comes of a write before it, and undefined where it did nothing. */
  onWrite: (result: DeclarationOutcome['result'] | undefined) => void,
): Promise<DeclarationOutcome['result']> {
  const { declared: store } = options
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const { owner, unreadable, ...found } = await store.find(namespace, declaration.id)
      const isTheirs =
        owner === undefined || mayTouch(caller, 'schedules.write', { namespace, owner })
      if (!isTheirs && found.schedule !== undefined) return scheduleIdTaken(declaration.id)
      if (isTheirs && unreadable !== undefined)
        return scheduleUnreadable(declaration.id, unreadable)
      // What others have left under the id says nothing to whoever comes to use it.
      const known: Found = isTheirs ? found : { schedule: undefined, declared: undefined }
      const { result, step } = await stepOf(options, caller, namespace, declaration, known)
      if (step === undefined) return result
      if (step.create !== undefined || found.declared === undefined) {
        const noRoom = await noRoomFor(options, step.create ?? { namespace, owner: '' })
        if (noRoom !== undefined) return noRoom
      }
      const { id, version, said } = declaration
      const written = {
        ...{ namespace, id, version, said },
        owner: step.create?.owner ?? step.change?.schedule.owner ?? owner ?? caller.user,
        expected: found.declared?.version,
      }
      onWrite(result)
      if (await retryConflicts(() => store.declare(written, step, caller))) return result
      onWrite(undefined)
    }
    return overloaded('changes of this schedule')
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

interface Step {
  readonly result: DeclarationOutcome['result']
  /** Undefined: nothing is to be done. */
  readonly step?: DeclareStep
}

async function stepOf(
  options: DeclareOptions,
  caller: Caller,
  namespace: string,
  declaration: Declaration,
  found: Found,
): Promise<Step> {
  const decision = decide(declaration, found)
  switch (decision.kind) {
    case 'unchanged':
      return { result: 'unchanged' }
    case 'taken':
      return { result: scheduleIdTaken(declaration.id) }
    case 'remove':
      return { result: 'removed', step: { remove: decision.schedule } }
    case 'create': {
      const create = await newSchedule(options, caller, namespace, declaration, decision.said)
      return { result: 'created', step: { create } }
    }
    case 'change': {
      const { schedule } = decision
      const change = await changeFrom(options, caller, declaration, schedule, decision.change)
      return { result: 'changed', step: { change: { schedule, change } } }
    }
  }
}

async function newSchedule(
  { store, checkStart, newId }: DeclareOptions,
  caller: Caller,
  namespace: string,
  { id, runAs, version }: Declaration,
  { terms, isPaused }: Said,
): Promise<NewSchedule> {
  const actor = actingFor(caller, 'schedules.write', runAs || undefined)
  if (actor === undefined) {
    throw invalidField(
      'schedule.run_as',
      'may name another user for administrators and services alone',
    )
  }
  const now = await store.now()
  await checkTiming(terms, beforeItsEnd(terms, now))
  const { user: owner, roles } = actor
  const schedule = { namespace, id, uid: newId(), owner, creator: caller.user, roles, terms }
  await checkJob(checkStart, schedule, now)
  return {
    ...{ ...schedule, requestId: '', predefined: true },
    next: isPaused ? undefined : await inTurns(nextDueOf(schedule, now)),
    pauseReason: isPaused ? pausedBy(version) : undefined,
  }
}

async function changeFrom(
  { store, checkStart }: DeclareOptions,
  caller: Caller,
  { runAs, version, said }: Declaration,
  schedule: Schedule,
  { job, terms: beside, isPaused }: DeclaredChange,
): Promise<ScheduleChange> {
  if (runAs !== '' && runAs !== schedule.owner) {
    throw invalidField('schedule.run_as', 'cannot be changed: declare another schedule')
  }
  const now = await store.now()
  const merged = { ...schedule.terms, ...beside, ...(job && { job }) }
  const terms = beside ? { ...merged, timing: await timingOf(merged, said, now) } : merged
  if (beside) await checkTiming(terms, beforeItsEnd(terms, now))
  const actor = job && actingFor(caller, 'schedules.write', schedule.owner)
  const roles = actor?.roles
  if (job) await checkJob(checkStart, { ...schedule, terms, roles: roles ?? [] }, now)
  const pauses = isPaused ?? schedule.pauseReason !== undefined
  const moves = beside !== undefined || isPaused !== undefined
  const next = pauses ? undefined : await inTurns(nextDueByOther(schedule, terms, now))
  return {
    ...((job || beside) && { terms }),
    ...(roles && { roles }),
    ...(isPaused !== undefined && { pauseReason: isPaused ? pausedBy(version) : null }),
    ...(moves && { next: next ?? null }),
  }
}

/** Where what an operator left does not go together with what is said now, the times of the code hold. */
async function timingOf(
  { timing }: Pick<Said['terms'], 'timing'>,
  said: Said | undefined,
  now: Date,
) {
  const terms = { timing }
  return said !== undefined && (await isTimingRefused(terms, beforeItsEnd(terms, now)))
    ? said.terms.timing
    : timing
}

/** A deployment may come when its schedule is over: that is no fault of it. */
function beforeItsEnd({ timing: { endTime } }: Pick<Said['terms'], 'timing'>, now: Date): Date {
  return endTime !== undefined && endTime <= now ? new Date(0) : now
}

function pausedBy(version: number): string {
  return `declared so in code, by version ${version}`
}
