/** Where the hello of an executor becomes what the scheduler knows of it, or is refused, naming what is wrong (guarantee 6). */
import assert from 'node:assert/strict'
import { type Actor, fits, ROLES } from '@offstage/kit/auth'
import { msFrom } from '@offstage/proto/durations'
import type * as proto from '@offstage/proto/executor'
import {
  checkLabels,
  collectViolations,
  methodFault,
  type Note,
  poolFault,
  textFault,
  versionFault,
} from '@offstage/proto/field-rules'
import { laneNameOf } from '@offstage/proto/lanes'
import { LIMITS } from '@offstage/proto/limits'
import { keyExpressionFault } from '../admission/limit-keys.ts'
import { poolOfSession } from '../domain/foreground.ts'
import { isJobId, isSessionId, type SessionId } from '../domain/ids.ts'
import { isJobLane, isSlotLane, LANE_DEFAULT } from '../domain/lane.ts'
import type { MethodDefinition, StartableBy } from '../domain/method-definition.ts'
import { poolFrom, spelledPool } from '../domain/pool.ts'
import { noteLimits, ownPoolFault } from '../domain/start-command.ts'
import type { Hello } from '../executors/serve-executor.ts'
import { sessionKeyOf } from '../executors/session-key.ts'
import { attachNotAllowed, invalidField, invalidFields } from '../refusals.ts'
import { schemaFault } from '../schemas/schema-fault.ts'
import { announcedLimitsFrom, noteAnnouncedLimits } from './limits-mapping.ts'
import { childrenPolicyFrom, namespaceFor, retryFrom } from './mapping.ts'

/** What is wrong has to fit into the answer. */
const VIOLATIONS_TOLD_MAX = 10

export function helloFrom(actor: Actor, hello: proto.Hello | undefined): Hello {
  if (hello === undefined) throw invalidField('hello', 'must be in the first message')
  if (hello.methods.length > LIMITS.methodsMax) {
    throw invalidField('hello.methods', `must be at most ${LIMITS.methodsMax}`)
  }
  const methods = hello.methods.map(methodFrom)
  const violations = collectViolations((note) => {
    noteSession(hello, note)
    noteLanes(hello, note)
    notePools(hello, note)
    noteMethods(hello, methods, note)
  })
  if (violations.length > 0) throw invalidFields(violations.slice(0, VIOLATIONS_TOLD_MAX))
  const namespace = namespaceFor(actor, hello.namespace)
  const { sessionId, lostSessionId, foreground } = hello
  refuseUngranted(actor, methods, foreground ? [] : poolsFrom(hello))
  const keyOf = (id: SessionId) => sessionKeyOf({ user: actor.user, namespace, sessionId: id })
  assert(isSessionId(sessionId), 'noted as a violation')
  const sessionKey = keyOf(sessionId)
  return {
    sessionId,
    sessionKey,
    lostSessionKey: isSessionId(lostSessionId) ? keyOf(lostSessionId) : undefined,
    namespace,
    name: hello.name,
    software: hello.software,
    labels: hello.labels,
    methods,
    lanes: hello.lanes.flatMap(({ lane, slots }) => (isSlotLane(lane) ? [{ lane, slots }] : [])),
    pools: foreground ? [poolOfSession(sessionKey)] : poolsFrom(hello),
    versionOf: versionsFrom(hello),
    leaseMs: msFrom(hello.lease),
    running: hello.running,
  }
}

/** Whoever announces a method gets its jobs, and says who may start it: so what may be announced can be held to names. */
function refuseUngranted(
  { attach }: Actor,
  methods: readonly MethodDefinition[],
  pools: readonly string[],
): void {
  if (attach === undefined) return
  const ungranted = (names: readonly string[], patterns: readonly string[]) =>
    names.filter((name) => !patterns.some((pattern) => fits(pattern, name)))
  const names = methods.map(({ name }) => name)
  const others = ungranted(names, attach.methods)
  if (others.length > 0) throw attachNotAllowed('methods', others)
  // Whoever serves a pool gets its jobs, whichever tenant it was made for.
  const foreign = ungranted(pools.map(spelledPool), attach.pools ?? ['*'])
  if (foreign.length > 0) throw attachNotAllowed('pools', foreign)
}

function noteSession(hello: proto.Hello, note: Note): void {
  if (!isSessionId(hello.sessionId)) note('hello.session_id', 'must be a lower-case UUID')
  if (hello.lostSessionId !== '' && !isSessionId(hello.lostSessionId)) {
    note('hello.lost_session_id', 'must be a lower-case UUID')
  }
  for (const [index, { jobId }] of hello.running.entries()) {
    if (!isJobId(jobId))
      note(`hello.running[${index}].job_id`, 'must be a job id, a lower-case UUID')
  }
  const leaseMs = msFrom(hello.lease) ?? 0
  if (!(leaseMs >= 0 && leaseMs <= LIMITS.sessionLeaseMsMax)) {
    note('hello.lease', 'must be within 0 and 1 h')
  }
  note('hello.name', textFault(hello.name, LIMITS.executorNameCharactersMax))
  note('hello.software', textFault(hello.software, LIMITS.softwareCharactersMax))
  checkLabels('hello.labels', hello.labels, note)
}

function notePools({ pools }: proto.Hello, note: Note): void {
  if (pools.length > LIMITS.poolsMax) note('hello.pools', `must be at most ${LIMITS.poolsMax}`)
  for (const [index, pool] of pools.slice(0, LIMITS.poolsMax).entries()) {
    note(
      `hello.pools[${index}]`,
      pool === '' ? 'must not be empty' : (poolFault(pool) ?? ownPoolFault(pool)),
    )
    if (pools.indexOf(pool) < index) note(`hello.pools[${index}]`, `is ${pool} once more`)
  }
}

function poolsFrom({ pools }: proto.Hello): string[] {
  return pools.length === 0 ? [poolFrom('')] : pools.map(poolFrom)
}

function versionsFrom({ methods }: proto.Hello): ReadonlyMap<string, string> {
  const versions = methods.map(({ name, version }) => [name, version] as const)
  return new Map(versions.filter(([, version]) => version !== ''))
}

function noteLanes({ lanes }: proto.Hello, note: Note): void {
  if (lanes.length === 0) note('hello.lanes', 'must be at least one: nothing could be run')
  const known = new Set<number>()
  for (const [index, { lane, slots }] of lanes.entries()) {
    const field = `hello.lanes[${index}]`
    if (!isSlotLane(lane)) {
      note(`${field}.lane`, 'must be INLINE, TASK, WORK or PROCESS')
    } else if (known.has(lane)) note(`${field}.lane`, `is ${wireName(lane)} once more`)
    known.add(lane)
    if (slots < 1 || slots > LIMITS.laneSlotsMax) {
      note(`${field}.slots`, `must be within 1 and ${LIMITS.laneSlotsMax}, not ${slots}`)
    }
  }
}

function noteMethods(hello: proto.Hello, methods: readonly MethodDefinition[], note: Note): void {
  if (methods.length === 0) note('hello.methods', 'must be at least one: nothing could be run')
  const lanes = new Set(hello.lanes.map(({ lane }) => lane))
  const known = new Set<string>()
  for (const [index, method] of methods.entries()) {
    const field = `hello.methods[${index}]`
    const { name, lane } = method
    const said = hello.methods[index]?.lane ?? 0
    const told: Note = (part, fault) =>
      note(`${field}.${part}`, fault === undefined ? undefined : `${fault}: ${name.slice(0, 200)}`)
    note(`${field}.name`, methodFault(name))
    if (known.has(name)) told('name', 'is announced twice')
    known.add(name)
    told('description', textFault(method.description, LIMITS.descriptionCharactersMax))
    told('params_schema', schemaFault(method.paramsSchema))
    told('result_schema', schemaFault(method.resultSchema))
    noteLabels(method.labelExpressions ?? {}, told)
    if (method.startableBy !== undefined) noteStarters(method.startableBy, told)
    if (!isJobLane(said)) told('lane', 'is not a known value')
    else if (!lanes.has(lane)) {
      told('lane', `is ${wireName(lane)}, of which this session announces no slots`)
    }
    noteLimits(method, told)
    const announced = hello.methods[index]
    if (announced === undefined) continue
    noteAnnouncedLimits(`${field}.limits`, announced, note)
    told('version', versionFault(announced.version))
  }
}

function noteStarters({ roles, users }: StartableBy, note: Note): void {
  if (roles.length + users.length === 0) note('startable_by', 'must name roles or users')
  for (const [index, role] of roles.entries()) {
    if (ROLES.some((known) => known === role)) continue
    note(`startable_by.roles[${index}]`, `must be one of ${ROLES.join(', ')}`)
    break
  }
  if (users.length > LIMITS.startersMax) {
    note('startable_by.users', `must be at most ${LIMITS.startersMax}`)
  }
  for (const [index, user] of users.slice(0, LIMITS.startersMax).entries()) {
    const fault = user === '' ? 'must not be empty' : textFault(user, LIMITS.ownerCharactersMax)
    note(`startable_by.users[${index}]`, fault)
  }
}

/** Of names as labels have them, and of expressions that can have a value. */
function noteLabels(expressions: Readonly<Record<string, string>>, note: Note): void {
  const { labelsMax, labelKeyCharactersMax } = LIMITS
  const entries = Object.entries(expressions)
  if (entries.length > labelsMax) note('label_expressions', `must be at most ${labelsMax}`)
  const names = Object.fromEntries(entries.map(([name]) => [name, '']))
  checkLabels('label_expressions', names, (field, fault) => {
    if (field !== 'label_expressions') note(field, fault)
  })
  for (const [name, expression] of entries.slice(0, labelsMax)) {
    const field = `label_expressions[${name.slice(0, labelKeyCharactersMax)}]`
    note(field, expression === '' ? 'must not be empty' : keyExpressionFault(expression))
  }
}

function isEmpty(named: Readonly<Record<string, string>>): boolean {
  for (const _name in named) return false
  return true
}

/** Of the contract, without what the names of all lanes begin with. */
function wireName(lane: number): string | undefined {
  return laneNameOf(lane)?.toUpperCase()
}

function methodFrom(method: proto.MethodDefinition): MethodDefinition {
  return {
    name: method.name,
    description: method.description,
    paramsSchema: method.paramsSchema,
    resultSchema: method.resultSchema,
    lane: isSlotLane(method.lane) ? method.lane : LANE_DEFAULT,
    retry: retryFrom(method.retryPolicy),
    queueDeadlineMs: msFrom(method.deadlines?.queue),
    attemptDeadlineMs: msFrom(method.deadlines?.attempt),
    totalDeadlineMs: msFrom(method.deadlines?.total),
    heartbeatDeadlineMs: msFrom(method.deadlines?.heartbeat),
    childrenPolicy: childrenPolicyFrom(method.childrenPolicy),
    startableBy: method.startableBy,
    privileged: method.privileged || undefined,
    foregroundOnly: method.foregroundOnly || undefined,
    labelExpressions: isEmpty(method.labelExpressions) ? undefined : method.labelExpressions,
    limits: announcedLimitsFrom(method),
  }
}
