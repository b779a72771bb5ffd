import { isLonger, isMethodName, versionFault, versionRule } from '@offstage/proto/field-rules'
import { LANE_NAMES } from '@offstage/proto/lanes'
import { LIMITS } from '@offstage/proto/limits'
import { RETRY_DEFAULTS } from '@offstage/proto/retry-defaults'
import { ROLES } from '@offstage/proto/roles'
import { shown } from '../arguments/shown.ts'
import { isByteStreamSchema } from './byte-stream.ts'
import { codecFault } from './check-codec.ts'
import { checkLabelExpressions } from './check-labels.ts'
import { checkLimits } from './check-limits.ts'
import { isWrapping } from './codec.ts'
import {
  CHILDREN_POLICIES,
  type DeadlineOptions,
  type JobMethod,
  type RetryOptions,
  type StartableBy,
} from './method.ts'

/** Ten years. */
export const DURATION_MS_MAX = LIMITS.durationMsMax

const RETRY_RANGES: Readonly<Record<keyof RetryOptions, readonly [min: number, max: number]>> = {
  maxAttempts: [1, LIMITS.maxAttemptsMax],
  initialBackoffMs: [0, DURATION_MS_MAX],
  backoffMultiplier: [1, LIMITS.backoffMultiplierMax],
  backoffMsMax: [0, DURATION_MS_MAX],
  jitter: [0, 1],
}
const DEADLINES: readonly string[] = [
  'queueMs',
  'attemptMs',
  'totalMs',
  'heartbeatMs',
] satisfies (keyof DeadlineOptions)[]

/** @throws TypeError naming the first malformed field. */
export function checkMethod<P, R, I>(definition: Omit<JobMethod<P, R, I>, 'kind'>): void {
  const { method, description, params, result, lane } = definition
  if (typeof method !== 'string' || !isMethodName(method)) {
    throw new TypeError(
      `method ${JSON.stringify(method)}: want segments of letters, digits, "_" and "-" joined by ` +
        `dots, at most ${LIMITS.methodCharactersMax} characters`,
    )
  }
  const refuse: Refuse = (field, problem) => {
    throw new TypeError(`job ${method}: ${field} ${problem}`)
  }
  if (description !== undefined && isLonger(description, LIMITS.descriptionCharactersMax)) {
    refuse('description', `is over ${LIMITS.descriptionCharactersMax} characters`)
  }
  if (lane !== undefined && !LANE_NAMES.includes(lane)) {
    refuse('lane', 'must be "inline", "task", "work" or "process"')
  }
  if (params !== undefined && !isSchema(params)) refuse('params', 'is not a Standard Schema')
  if (result !== undefined && !isSchema(result)) refuse('result', 'is not a Standard Schema')
  checkRetry(definition.retry, refuse)
  checkDeadlines(definition.deadlines, refuse)
  checkLimits(definition.limits, refuse)
  checkStarters(definition.startableBy, refuse)
  const { privileged = false, background = true, labels, codec } = definition
  const fault = codec === undefined ? undefined : codecFault(codec)
  if (fault !== undefined) refuse(...fault)
  if (isByteStreamSchema(params)) {
    if (isWrapping(codec)) refuse('codec', 'wraps, which a stream does not pass: wrap its bytes')
    if (typeof labels === 'function') {
      refuse('labels', 'cannot be made of a stream: callers give them')
    }
  }
  if (typeof labels !== 'function') checkLabelExpressions(labels, refuse)
  if (typeof privileged !== 'boolean') refuse('privileged', 'must be true or false')
  const { childrenPolicy = 'all' } = definition
  if (!CHILDREN_POLICIES.includes(childrenPolicy)) {
    refuse('childrenPolicy', `must be one of ${CHILDREN_POLICIES.join(', ')}`)
  }
  if (typeof background !== 'boolean') refuse('background', 'must be true or false')
  const { version } = definition
  if (version !== undefined && !isVersion(version)) {
    refuse('version', `must be ${versionRule}, not ${shown(version)}`)
  }
}

function isVersion(version: unknown): boolean {
  return typeof version === 'string' && version !== '' && versionFault(version) === undefined
}

/** Refuses what would let nobody start it, and roles that there are none of (row J5). */
function checkStarters(startableBy: StartableBy | undefined, refuse: Refuse): void {
  if (startableBy === undefined) return
  fieldsOf('startableBy', startableBy, ['roles', 'users'], refuse)
  const { roles = [], users = [] } = startableBy
  if (!Array.isArray(roles) || !roles.every((role) => ROLES.includes(role))) {
    refuse('startableBy.roles', `must be a list of ${ROLES.join(', ')}`)
  }
  const { startersMax, ownerCharactersMax } = LIMITS
  const isUser = (user: unknown) =>
    typeof user === 'string' && user !== '' && !isLonger(user, ownerCharactersMax)
  if (!Array.isArray(users) || !users.every(isUser)) {
    refuse('startableBy.users', `must be a list of texts of 1 to ${ownerCharactersMax} characters`)
  }
  if (users.length > startersMax) refuse('startableBy.users', `must be at most ${startersMax}`)
  if (roles.length + users.length === 0) refuse('startableBy', 'must name roles or users')
}

type Refuse = (field: string, problem: string) => never

/** Refuses numbers outside their ranges (row J16); shared by definitions and starts. */
export function checkRetry(retry: RetryOptions | undefined, refuse: Refuse): void {
  for (const [name, value] of fieldsOf('retry', retry, Object.keys(RETRY_RANGES), refuse)) {
    const [min, max] = RETRY_RANGES[name as keyof RetryOptions]
    if (!(typeof value === 'number' && value >= min && value <= max)) {
      refuse(`retry.${name}`, `must be from ${min} to ${max}, not ${shown(value)}`)
    }
  }
  if (!Number.isInteger(retry?.maxAttempts ?? 1)) refuse('retry.maxAttempts', 'must be whole')
  const { initialBackoffMs = RETRY_DEFAULTS.initialBackoffMs, backoffMsMax } = retry ?? {}
  if (backoffMsMax !== undefined && backoffMsMax < initialBackoffMs) {
    refuse('retry.backoffMsMax', `must not be below initialBackoffMs, ${initialBackoffMs}`)
  }
}

/** Refuses durations that are not above 0 (row J17); shared by definitions and starts. */
export function checkDeadlines(deadlines: DeadlineOptions | undefined, refuse: Refuse): void {
  for (const [name, value] of fieldsOf('deadlines', deadlines, DEADLINES, refuse)) {
    const isLong = name === 'queueMs' || name === 'totalMs'
    const msMax = isLong ? DURATION_MS_MAX : LIMITS.attemptDeadlineMsMax
    const msMin = name === 'heartbeatMs' ? LIMITS.heartbeatDeadlineMsMin : Number.MIN_VALUE
    if (!(typeof value === 'number' && value >= msMin && value <= msMax)) {
      const least = name === 'heartbeatMs' ? `at least ${msMin}` : 'above 0'
      const want = `must be ${least} and at most ${msMax} ms`
      refuse(`deadlines.${name}`, `${want}, not ${shown(value)}`)
    }
  }
}

/** The fields that are set; one of another name is refused. */
function fieldsOf(
  what: string,
  fields: object | undefined,
  known: readonly string[],
  refuse: Refuse,
): [string, unknown][] {
  if (fields === undefined) return []
  if (typeof fields !== 'object' || fields === null) {
    refuse(what, `must be an object, not ${shown(fields)}`)
  }
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  for (const [name] of entries) {
    if (!known.includes(name)) refuse(`${what}.${name}`, `is not one of ${known.join(', ')}`)
  }
  return entries
}

function isSchema(value: object): boolean {
  return '~standard' in value
}
