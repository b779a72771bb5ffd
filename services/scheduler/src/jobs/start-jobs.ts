/** Starting jobs and, when asked, waiting inline for their end (rows J1, J4, J19, L1). */
import type { Actor } from '@offstage/kit/auth'
import type { Refusal } from '@offstage/kit/grpc'
import type { Admission } from '../admission/admission.ts'
import { labelsOf, limitKeyOf } from '../admission/limit-keys.ts'
import type { StartItem, StartOutcome } from '../dispatch/start-outcome.ts'
import type { Starts } from '../dispatch/starts.ts'
import type { JobStanding } from '../domain/job.ts'
import type { JobState } from '../domain/job-state.ts'
import type { MethodTerms } from '../domain/method-definition.ts'
import {
  canBeJobId,
  METHOD_DEFAULTS,
  type StartCommand,
  type StartOptions,
  violationsOf,
} from '../domain/start-command.ts'
import type { Methods } from '../executors/methods.ts'
import type { StartStore } from '../ports/starts.ts'
import {
  invalidFields,
  labelInvalid,
  limitKeyInvalid,
  methodNotStartable,
  methodUnknown,
  methodUnreadable,
  paramsInvalid,
  parentNotFound,
} from '../refusals.ts'
import type { Checks } from '../schemas/checks.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { Waiter } from '../waits/waiter.ts'
import type { Caller } from './caller.ts'
import { checkParams } from './check-params.ts'
import type { LimitRate } from './limit-rate.ts'
import { mayStart } from './may-start.ts'
import type { RecordReads } from './payload-reads.ts'
import type { ReadFor } from './shared-reads.ts'

/** What is needed to find out whether a job may be started. */
export interface CheckOptions {
  readonly methods: Methods
  readonly store: Pick<StartStore, 'isBelow' | 'findExisting'>
  readonly checks: Checks
  readonly limitsOf: Admission['limitsOf']
}

export interface StartJobsOptions extends CheckOptions {
  readonly starts: Starts
  readonly feed: JobFeed
  readonly readStandings: ReadFor<JobStanding>
  /** Throws where these are more than their owner may start now. */
  readonly limitRate?: LimitRate | undefined
  readonly recordReads: RecordReads
}

export interface StartedJob {
  readonly id: string
  readonly state: JobState
  readonly existing: boolean
  /** Set when the job has ended. */
  readonly standing: JobStanding | undefined
}

export type Started = StartedJob | { readonly refusal: Refusal }

/** All commands are the actor's. */
export type StartJobs = (
  caller: Caller,
  commands: readonly StartCommand[],
  inlineWaitMs: number,
  signal: AbortSignal,
) => Promise<Started[]>

export function createStartJobs(options: StartJobsOptions): StartJobs {
  return async (caller, commands, inlineWaitMs, signal) => {
    // Refused before anything is started: a start that is recorded must be answered as such.
    if (inlineWaitMs > 0) options.feed.makeRoom(commands.length, caller.user)
    options.limitRate?.(commands)
    const checks = commands.map((each) => checkInTurn(options, caller, each))
    const checked = checks.some(isPending) ? await Promise.all(checks) : (checks as Checked[])
    using waiter = inlineWaitMs > 0 ? newWaiter(options, caller, commands) : undefined
    const items: StartItem[] = []
    for (const command of checked) {
      if ('refusal' in command) continue
      const { namespace } = command
      const onStarted = waiter && ((id: string) => waiter.follow(namespace, id, false))
      items.push(onStarted === undefined ? { command } : { command, onStarted })
    }
    const outcomes = await options.starts.add(items, caller.user)
    if (waiter !== undefined) {
      await waitInline(waiter, items, outcomes, inlineWaitMs, signal)
      const recording = recordEnds(options, caller, outcomes, waiter)
      if (recording !== undefined) await recording
    }
    let next = 0
    return checked.map((command) => {
      if ('refusal' in command) return command
      return startedJob(outcomes[next++], waiter)
    })
  }
}

/** All commands of a call are for one namespace. */
function newWaiter(
  { feed, readStandings }: StartJobsOptions,
  caller: Caller,
  [command]: readonly StartCommand[],
): Waiter {
  return new Waiter(feed, readStandings(caller, command?.namespace ?? ''), caller.user)
}

async function waitInline(
  waiter: Waiter,
  items: readonly StartItem[],
  outcomes: readonly StartOutcome[],
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  let awaited = 0
  const elsewhere: string[] = []
  for (const [index, outcome] of outcomes.entries()) {
    const namespace = items[index]?.command.namespace ?? ''
    if (outcome.kind === 'refused') continue
    awaited++
    if (outcome.kind === 'existing') {
      const { standing } = outcome
      if (standing.completion !== undefined) waiter.end(standing)
      else {
        waiter.follow(namespace, standing.id, true)
        elsewhere.push(standing.id)
      }
    } else if (!outcome.here) {
      waiter.follow(namespace, outcome.id, true)
      elsewhere.push(outcome.id)
    }
  }
  if (elsewhere.length > 0) await waiter.check(elsewhere)
  await waiter.until(awaited, waitMs, signal)
}

/** An administrator may be handed a job of somebody else, which holds the key, and so its result. */
function recordEnds(
  { recordReads }: StartJobsOptions,
  caller: Caller,
  outcomes: readonly StartOutcome[],
  waiter: Waiter,
): Promise<void> | undefined {
  const ended = outcomes.flatMap((outcome) => {
    const standing = outcome.kind === 'existing' && waiter.ended.get(outcome.standing.id)
    return standing ? [standing] : []
  })
  const [first] = ended
  return first && recordReads(caller, first.namespace, ended)
}

function startedJob(outcome: StartOutcome | undefined, waiter: Waiter | undefined): Started {
  if (outcome === undefined || outcome.kind === 'refused') {
    return outcome ?? { refusal: invalidFields([]) }
  }
  if (outcome.kind === 'existing') {
    const standing = waiter?.ended.get(outcome.standing.id) ?? outcome.standing
    const ended = standing.completion === undefined ? undefined : standing
    return { id: standing.id, state: standing.state, existing: true, standing: ended }
  }
  const standing = waiter?.ended.get(outcome.id)
  return { id: outcome.id, state: standing?.state ?? outcome.state, existing: false, standing }
}

export type Checked = StartCommand | { readonly refusal: Refusal }

/** The command with what its method says of it, or why it cannot be started. */
export type CheckStart = (actor: Actor, command: StartCommand) => Promise<Checked>

export function createCheckStart(options: CheckOptions): CheckStart {
  return async (actor, command) => checkInTurn(options, actor, command)
}

function isPending(checked: Checked | Promise<Checked>): checked is Promise<Checked> {
  return checked instanceof Promise
}

function checkInTurn(
  options: CheckOptions,
  actor: Actor,
  command: StartCommand,
): Checked | Promise<Checked> {
  const turn = options.checks.turn()
  return turn === undefined
    ? check(options, actor, command)
    : turn.then(() => check(options, actor, command))
}

/** The command with the method's defaults, or why it cannot be started. */
function check(
  options: CheckOptions,
  actor: Actor,
  command: StartCommand,
): Checked | Promise<Checked> {
  const violations = violationsOf(command)
  if (violations.length > 0) return { refusal: invalidFields(violations) }
  const { methods } = options
  const { parentId } = command
  const within = actor.attempt?.jobId ?? parentId
  if (parentId !== '' && parentId !== within) return checkParent(options, actor, command, within)
  const definition = methods.peek(command.namespace, command.method)
  if (definition === undefined) return lookUp(options, actor, command)
  const checked = withTerms(options, actor, command, definition)
  // Others may have announced another schema, elsewhere and just now.
  return isMisfit(checked) ? lookUp(options, actor, command) : checked
}

/** A handler starts children of its own job, and of those below it. */
async function checkParent(
  options: CheckOptions,
  actor: Actor,
  command: StartCommand,
  within: string,
): Promise<Checked> {
  if (!(await options.store.isBelow(command, within))) return { refusal: parentNotFound() }
  return lookUp(options, actor, command)
}

async function lookUp(
  options: CheckOptions,
  actor: Actor,
  command: StartCommand,
): Promise<Checked> {
  const { methods } = options
  const { namespace, method } = command
  const found = await methods.find(namespace, method)
  if (found !== undefined) {
    if ('unreadable' in found) return { refusal: methodUnreadable(method, found.unreadable) }
    await options.checks.turn()
    const checked = withTerms(options, actor, command, found)
    return isMisfit(checked) && (await isKnown(options, command)) ? command : checked
  }
  return { refusal: methodUnknown(namespace, method, await methods.names(namespace)) }
}

/** The parameters are wrong by what is said of the method now. */
function isMisfit(checked: Checked): boolean {
  return 'refusal' in checked && MISFITS.has(checked.refusal.reason)
}

const MISFITS: ReadonlySet<string> = new Set([
  'PARAMS_INVALID',
  'LABEL_INVALID',
  'LIMIT_KEY_INVALID',
])

const NO_ID = '00000000-0000-0000-0000-000000000000'

/** A start that is said again is answered as the first one was, whatever has been announced since (row J19). */
async function isKnown({ store }: CheckOptions, command: StartCommand): Promise<boolean> {
  const { requestId } = command
  if (requestId === '') return false
  const id = canBeJobId(requestId) ? requestId : NO_ID
  const [existing] = await store.findExisting([{ id, command }])
  return existing?.by === 'request-id'
}

/**
 * What the start leaves open is taken from the method's definition, and that it runs privileged from there alone; its lane is known to
 * the executor.
 */
function withTerms(
  options: CheckOptions,
  actor: Actor,
  command: StartCommand,
  definition: MethodTerms,
): Checked {
  if (!mayStart(actor, definition)) {
    const { name, startableBy } = definition
    return { refusal: methodNotStartable(name, startableBy?.roles ?? []) }
  }
  const fit = checkParams(options.checks, command.params, definition)
  if ('violations' in fit) return { refusal: paramsInvalid(command.method, fit.violations) }
  const { misfits } = fit
  const { privileged } = definition
  const defaults = defaultsOf(definition)
  if (defaults === undefined && misfits === undefined && !privileged) {
    return withExpressions(options, command, definition)
  }
  const asked = { ...defaults, ...command.options, privileged, misfits }
  return withExpressions(options, { ...command, options: asked }, definition)
}

/** Its retries and deadlines; undefined where there are none, as of most methods. */
function defaultsOf(definition: MethodTerms): StartOptions | undefined {
  let defaults: Record<string, unknown> | undefined
  for (const name of METHOD_DEFAULTS) {
    if (definition[name] === undefined) continue
    defaults ??= {}
    defaults[name] = definition[name]
  }
  return defaults
}

/** With what the expressions of its method make of it: labels first, of which a key may be made. */
function withExpressions(
  options: CheckOptions,
  command: StartCommand,
  { labelExpressions }: MethodTerms,
): Checked {
  if (labelExpressions === undefined) return withLimitKey(options, command)
  const made = labelsOf(labelExpressions, command)
  return 'fault' in made
    ? { refusal: labelInvalid(command.method, made) }
    : withLimitKey(options, { ...command, labels: made.labels })
}

/** With its value among those that are limited one by one, where its method has them. */
function withLimitKey(options: CheckOptions, command: StartCommand): Checked {
  const { namespace, method } = command
  const limit = options.limitsOf(namespace, method)?.perKey
  if (limit === undefined) return command
  const { keyExpression } = limit
  const found = limitKeyOf(keyExpression, command)
  return 'key' in found
    ? { ...command, limitKey: found.key }
    : { refusal: limitKeyInvalid(method, keyExpression, found.fault) }
}
