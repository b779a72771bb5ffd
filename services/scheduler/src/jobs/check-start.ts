/** Whether a job may be started, and what its method says of it beside what the start says. */
import type { Actor } from '@offstage/kit/auth'
import type { Refusal } from '@offstage/kit/grpc'
import type { Admission } from '../admission/admission.ts'
import { labelsOf, limitKeyOf } from '../admission/limit-keys.ts'
import type { MethodTerms } from '../domain/method-definition.ts'
import { withoutVersion } from '../domain/pool.ts'
import {
  METHOD_DEFAULTS,
  type StartCommand,
  type StartOptions,
  soughtFrom,
  violationsOf,
} from '../domain/start-command.ts'
import type { Attachments } from '../executors/attachments.ts'
import type { Methods } from '../executors/methods.ts'
import type { StartStore } from '../ports/starts.ts'
import { invalidFields, methodUnknown, parentNotFound } from '../refusals.ts'
import type { Checks } from '../schemas/checks.ts'
import { leaseRefusal } from './check-lease.ts'
import { checkParams } from './check-params.ts'
import { type ForegroundStore, placeInForeground } from './foreground.ts'
import { mayStart } from './may-start.ts'
import {
  labelInvalid,
  limitKeyInvalid,
  methodForegroundOnly,
  methodNotStartable,
  methodUnreadable,
  paramsInvalid,
} from './refusals.ts'

/** What is needed to find out whether a job may be started. */
export interface CheckOptions {
  readonly methods: Methods
  readonly store: Pick<StartStore, 'isBelow' | 'findExisting' | 'hasLease'> & ForegroundStore
  readonly attachments: Pick<Attachments, 'runs' | 'roomFor'>
  readonly checks: Checks
  readonly limitsOf: Admission['limitsOf']
}

export type Checked = StartCommand | { readonly refusal: Refusal }

/** The command with what its method says of it, or why it cannot be started. */
export type CheckStart = (actor: Actor, command: StartCommand) => Promise<Checked>

export function createCheckStart(options: CheckOptions): CheckStart {
  return async (actor, command) => checkInTurn(options, actor, command)
}

export function checkInTurn(
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
  const { leaseId, foreground } = command
  if (leaseId === undefined && foreground === undefined) return checkMethod(options, actor, command)
  return checkWithCare(options, actor, command)
}

async function checkWithCare(
  options: CheckOptions,
  actor: Actor,
  command: StartCommand,
): Promise<Checked> {
  const refusal = command.leaseId && (await leaseRefusal(options, command))
  if (refusal) return { refusal }
  const checked = await checkMethod(options, actor, command)
  return 'refusal' in checked ? checked : placeInForeground(options, checked)
}

function checkMethod(
  options: CheckOptions,
  actor: Actor,
  command: StartCommand,
): Checked | Promise<Checked> {
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
  const { fallbackMethod } = command
  if (fallbackMethod !== undefined) {
    return lookUp(options, actor, withFallback(command, fallbackMethod))
  }
  const requested = command.options?.requestedMethod
  return { refusal: methodUnknown(namespace, method, await methods.names(namespace), requested) }
}

/** From here on it is a start of the fallback, but for what it remembers; a required version was one of the other method. */
function withFallback(command: StartCommand, method: string): StartCommand {
  const options = { ...command.options, requestedMethod: command.method }
  const pool = withoutVersion(command.pool)
  return { ...command, method, pool, fallbackMethod: undefined, options }
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

/** A start that is said again is answered as the first one was, whatever has been announced since (row J19). */
async function isKnown({ store }: CheckOptions, command: StartCommand): Promise<boolean> {
  if (command.requestId === '') return false
  const [existing] = await store.findExisting([soughtFrom(command)])
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
  if (definition.foregroundOnly && command.foreground === undefined) {
    return { refusal: methodForegroundOnly(definition.name) }
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
  const made = options.checks.timed(() => labelsOf(labelExpressions, command))
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
  const found = options.checks.timed(() => limitKeyOf(keyExpression, command))
  return 'key' in found
    ? { ...command, limitKey: found.key }
    : { refusal: limitKeyInvalid(method, keyExpression, found.fault) }
}
