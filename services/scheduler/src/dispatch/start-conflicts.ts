/**
 * Starts that their insert has left out: finds out which job stood in the way of each, and does what its caller wants then (rows J4, J19).
 *
 * All of a batch are looked up, and recorded, by one statement each, however many have met others. They are left over where what stood in the way
 * is gone by then, or comes again: so in rounds.
 */
import type { Refusal } from '@offstage/kit/grpc'
import type { ExistingJob, NewJob } from '../domain/held-job.ts'
import { isTerminal, type JobState } from '../domain/job-state.ts'
import type { StartCommand } from '../domain/start-command.ts'
import type { StartStore } from '../ports/starts.ts'
import { keyTaken, overloaded, parentNotFound, requestIdReused } from '../refusals.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import type { Backlog } from './backlog.ts'
import { refuseKeptOut } from './kept-out.ts'
import { conflictUnresolved, keyOfParent, parentHasEnded } from './refusals.ts'
import { isSameStart } from './same-start.ts'
import { type StartItem, type StartOutcome, tellStarted } from './start-outcome.ts'

export interface StartConflictsOptions {
  readonly store: Pick<
    StartStore,
    'insert' | 'insertBehindKey' | 'findExisting' | 'takenIds' | 'parentStates' | 'findRefused'
  >
  readonly backlog: Pick<Backlog, 'announce'>
  readonly newId: () => string
  onError(error: unknown): void
}

const ROUNDS = 3
/** Those they have met come with their parameters and results. */
const BATCH = 100

interface Met extends Pick<NewJob, 'id' | 'command'> {
  readonly item: StartItem
}

/** One that goes on. */
interface Start {
  readonly place: number
  readonly met: Met
  /** That of its job: another where its request id is the id of somebody else's. */
  id: string
}

export async function resolveConflicts(
  options: StartConflictsOptions,
  met: readonly Met[],
): Promise<StartOutcome[]> {
  const outcomes: StartOutcome[] = []
  for (let from = 0; from < met.length; from += BATCH) {
    outcomes.push(...(await resolveBatch(options, met.slice(from, from + BATCH))))
  }
  return outcomes
}

/** Trouble with conflicts is no trouble for the starts they shared a batch with. */
async function resolveBatch(
  options: StartConflictsOptions,
  met: readonly Met[],
): Promise<StartOutcome[]> {
  const outcomes = new Array<StartOutcome | undefined>(met.length).fill(undefined)
  let left: readonly Start[] = met.map((each, place) => ({ place, met: each, id: each.id }))
  try {
    for (let round = 0; round < ROUNDS && left.length > 0; round++) {
      left = await resolveRound(options, left, outcomes)
    }
  } catch (error) {
    options.onError(error)
    const refusal = conflictUnresolved(error)
    return outcomes.map((outcome) => outcome ?? { kind: 'refused', refusal })
  }
  return outcomes.map((outcome, place) => outcome ?? comesAgain(met[place]))
}

/** Returns those that are left. */
async function resolveRound(
  options: StartConflictsOptions,
  starts: readonly Start[],
  outcomes: (StartOutcome | undefined)[],
): Promise<readonly Start[]> {
  const { store, backlog } = options
  const existing = await store.findExisting(starts.map(({ met }) => met))
  const open = new Map<Start, ExistingJob | undefined>()
  for (const [index, start] of starts.entries()) {
    const outcome = byRequestId(start, existing[index])
    if (outcome === undefined) open.set(start, existing[index])
    else outcomes[start.place] = outcome
  }
  await refuseOrphans(options, open, outcomes)
  await giveOtherIds(options, [...open.keys()])
  const again: Start[] = []
  const behind: Start[] = []
  for (const [start, other] of open) {
    if (other === undefined) again.push(start)
    else if (start.met.command.keyConflict !== 'queue-behind') {
      outcomes[start.place] = byKey(start, other)
    } else if (isBehindOwnParent(start, other)) {
      const { key, parentId } = start.met.command
      outcomes[start.place] = { kind: 'refused', refusal: keyOfParent(key, parentId) }
    } else behind.push(start)
  }
  // What stood in their way is gone: without an executor.
  const queued = await insertAll(again, (jobs) => store.insert(jobs))
  const recorded = record(options, again, queued, outcomes)
  backlog.announce(recorded.map(({ met }) => met.command))
  const waiting = await insertAll(behind, (jobs) => store.insertBehindKey(jobs))
  record(options, behind, waiting, outcomes)
  const left = [...again, ...behind].filter(({ place }) => outcomes[place] === undefined)
  return left.length === 0 ? left : await refuseKeptOut(options, left, outcomes)
}

function insertAll(
  starts: readonly Start[],
  insert: (jobs: readonly NewJob[]) => Promise<ReadonlyMap<string, JobState>>,
): ReadonlyMap<string, JobState> | Promise<ReadonlyMap<string, JobState>> {
  return starts.length === 0 ? NONE : retryConflicts(() => insert(starts.map(unplaced)))
}

const NONE: ReadonlyMap<string, JobState> = new Map()

function byRequestId({ met }: Start, other: ExistingJob | undefined): StartOutcome | undefined {
  if (other?.by !== 'request-id') return undefined
  if (isSameStart(other, met.command)) return { kind: 'existing', standing: other }
  return { kind: 'refused', refusal: requestIdReused(met.command.requestId) }
}

function byKey({ met: { command } }: Start, other: ExistingJob): StartOutcome {
  const isOwn = other.owner === command.owner
  if (command.keyConflict === 'return-running' && (command.admin || isOwn)) {
    return { kind: 'existing', standing: other }
  }
  // That the key is taken cannot be kept from anybody (row J4); by whom is told to those for whom the job exists (row J6).
  const holder = command.seesOthers || isOwn ? other : undefined
  return { kind: 'refused', refusal: keyTaken(command.key, holder) }
}

/** Neither would end: the parent keeps its key while it waits. */
function isBehindOwnParent({ met: { command } }: Start, { id }: ExistingJob): boolean {
  return command.isAttached === true && id === command.parentId
}

async function refuseOrphans(
  { store }: StartConflictsOptions,
  open: Map<Start, ExistingJob | undefined>,
  outcomes: (StartOutcome | undefined)[],
): Promise<void> {
  const children = [...open.keys()].filter(({ met }) => met.command.parentId !== '')
  if (children.length === 0) return
  const states = await store.parentStates(children.map(({ met }) => met.command))
  for (const [index, start] of children.entries()) {
    const refusal = parentRefusal(start.met.command, states[index])
    if (refusal === undefined) continue
    outcomes[start.place] = { kind: 'refused', refusal }
    open.delete(start)
  }
}

function parentRefusal(
  { isAttached, parentId }: StartCommand,
  state: JobState | undefined,
): Refusal | undefined {
  if (state === undefined) return parentNotFound()
  return isAttached && isTerminal(state) ? parentHasEnded(parentId) : undefined
}

/** The request id is the id of somebody else's job: this one gets another, so that nobody is told of theirs. */
async function giveOtherIds(
  { store, newId }: StartConflictsOptions,
  starts: readonly Start[],
): Promise<void> {
  const named = starts.filter(({ met, id }) => met.command.requestId === id)
  if (named.length === 0) return
  const taken = await store.takenIds(named.map(({ id }) => id))
  for (const start of named) if (taken.has(start.id)) start.id = newId()
}

const unplaced = ({ id, met: { command } }: Start): NewJob => ({
  id,
  command,
  lane: command.lane,
  attachmentId: undefined,
})

/** Returns those that were recorded; of two with one id the first. */
function record(
  options: StartConflictsOptions,
  starts: readonly Start[],
  states: ReadonlyMap<string, JobState>,
  outcomes: (StartOutcome | undefined)[],
): readonly Start[] {
  const told = new Set<string>()
  return starts.filter(({ id, place, met }) => {
    const state = states.get(id)
    if (state === undefined || told.has(id)) return false
    told.add(id)
    tellStarted(options, met.item, id)
    outcomes[place] = { kind: 'started', id, state, here: false }
    return true
  })
}

function comesAgain(met: Met | undefined): StartOutcome {
  const { key, requestId } = met?.command ?? { key: '', requestId: '' }
  const wanted = key === '' ? `request id "${requestId}"` : `key "${key}"`
  return { kind: 'refused', refusal: overloaded(`starts with the ${wanted}`) }
}
