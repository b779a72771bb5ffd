/** The sentence of an explanation. */
import { laneNameOf } from '@offstage/proto/lanes'
import type { ExclusiveHolder } from '../domain/exclusive-mode.ts'
import type { FullLimit, Gate, Holders } from '../domain/gate.ts'
import type { JobCircumstances } from '../domain/job-query.ts'
import { isTerminal, JobState } from '../domain/job-state.ts'
import type { StartEstimate } from '../domain/pace.ts'
import { requiredVersionOf, spelledPool, withoutVersion } from '../domain/pool.ts'
import { isFor, isTaking, type SeenExecutor } from '../domain/seen-executor.ts'
import { heldByAncestors } from './held-by-ancestors.ts'

export function explanationText(gate: Gate | undefined, job: JobCircumstances): string {
  if (gate === undefined) return passage(job)
  const { namespace, method, pool } = job
  switch (gate.cause) {
    case 'children':
      if (isFree(gate)) return 'Its children have ended, and it is about to go on.'
      return `It waits for its children, of which ${holderOf(gate)} has not ended.`
    case 'lock':
      return lockText(gate)
    case 'key':
      if (isFree(gate)) return 'Its key has become free, and it is about to take it.'
      return `Its key is held by ${holderOf(gate)}${othersBefore(job)}.`
    case 'not-due': {
      const time = gate.dueTime?.toISOString() ?? 'now'
      return gate.isRetry
        ? `Its last attempt failed, and the next is due at ${time}.`
        : `Its start time is ${time}.`
    }
    case 'paused': {
      const { what = 'method', owner = 'somebody', time } = gate.pause ?? {}
      const name = { namespace, method, pool: spelledPool(pool) }[what]
      return `The ${what} ${name} was paused by ${owner} at ${time?.toISOString()}.`
    }
    case 'exclusive-mode':
      return `${exclusiveText(namespace, gate.holder)}.`
    case 'limit':
      return `${limitText(method, gate.limit)}${limitPace(gate.limit, job)}`
    case 'no-executor': {
      const none = `No executor that runs ${method}${inPool(pool)} is attached to namespace ${namespace}`
      return `${none}${whoIsThere(gate.executors, method)}.`
    }
    case 'no-fit':
      return `Its parameters do not fit the schema by which ${executors(gate.sessionIds.length)} ${method}${inPool(pool)}.`
    case 'no-slot':
      if (gate.slots > 0) return `${slotText(gate.slots, job)}; ${paceText(job)}.`
      return `No executor that runs ${method}${inPool(pool)} has the lane ${laneNameOf(job.lane)}.`
  }
}

/** Nothing is in its way. */
function passage({ state }: JobCircumstances): string {
  if (isTerminal(state)) return 'It has ended.'
  return state === JobState.running ? 'It runs.' : 'It is about to be assigned.'
}

function exclusiveText(namespace: string, holder: ExclusiveHolder | undefined): string {
  const { owner = 'somebody', askTime, time = askTime, expireTime } = holder ?? {}
  const since = `since ${time?.toISOString()}, until ${expireTime?.toISOString()} or longer`
  return `The namespace ${namespace} is had exclusively by ${owner} ${since}`
}

function isFree({ jobIds, hidden }: Holders): boolean {
  return jobIds.length === 0 && !hidden
}

/** One that does not exist for who asks is not named. */
function holderOf({ jobIds: [first] }: Holders): string {
  return first === undefined ? 'a job of somebody else' : `job ${first}`
}

function lockText({ lock, jobIds: [jobId] }: Extract<Gate, { cause: 'lock' }>): string {
  const of = lock.holder.kind === 'transaction' ? `a transaction of ${lock.owner}` : lock.owner
  const who = jobId === undefined ? of : `job ${jobId} of ${lock.owner}`
  const since = lock.since.toISOString()
  const name = `the lock "${lock.name}"`
  if (lock.isWaiting)
    return `It runs, and waits for ${name}, for which ${who} has waited since ${since}.`
  return `It runs, and waits for ${name}, which is held by ${who} since ${since}.`
}

/** The holder is the first of those ahead. */
function othersBefore({ place }: JobCircumstances): string {
  const before = place.ahead - 1
  if (before < 1) return ''
  return `, and ${before === 1 ? 'another job takes' : `${counted(place, before)} jobs take`} it before`
}

function limitText(method: string, full: FullLimit | undefined): string {
  if (full === undefined) return `The limits of ${method} have no room for it`
  const { limit, key, keyHidden, nextTime } = full
  const { concurrencyMax = 0, rate, keyExpression } = limit
  const its = keyHidden ? 'that of this job' : `"${key}"`
  const value = key === undefined ? method : `${method} whose ${keyExpression} is ${its}`
  const what = limit.isAnnounced ? `${value}, by its definition,` : value
  if (nextTime === undefined || rate === undefined) {
    return `Of ${what} ${jobs(concurrencyMax)} may run at once, and ${concurrencyMax === 1 ? 'one does' : 'as many do'}`
  }
  return `Of ${what} ${jobs(rate.count)} may begin in ${rate.periodMs / 1_000} s, and the next may at ${nextTime.toISOString()}`
}

function aheadText({ place }: JobCircumstances): string {
  if (place.ahead === 0 && !place.isMinimum) return ''
  return `; ${counted(place)} ${place.ahead === 1 ? 'job is' : 'jobs are'} ahead of it`
}

function slotText(slots: number, { place, method, lane, pool }: JobCircumstances): string {
  const which = slots === 1 ? 'the one slot' : `one of ${slots} slots`
  const home = withoutVersion(pool)
  const where = `in the lane ${laneNameOf(lane)}${home && ` of the pool ${home}`}${inVersion(pool)}`
  if (place.ahead === 0 && !place.isMinimum) {
    return `It is the next to get ${which} for ${method} ${where}, ${slots === 1 ? 'which is taken' : 'all of which are taken'}`
  }
  const noun = place.ahead === 1 ? 'job' : 'jobs'
  return `It waits behind ${counted(place)} ${noun} of ${method} for ${which} ${where}`
}

function counted({ ahead, isMinimum }: JobCircumstances['place'], count = ahead): string {
  if (!isMinimum) return String(count)
  return count === 0 ? 'an unknown number of' : `more than ${count.toLocaleString('en')}`
}

function paceText({ estimate, place }: JobCircumstances): string {
  if (estimate !== undefined) return `about ${spanText(estimate)} at the present rate`
  if (place.isMinimum) return 'too many to tell when it begins'
  return 'too few began lately to tell when it will'
}

/** Where those above it hold its places, neither number says when it begins; and a rate has told already when the next may. */
function limitPace(full: FullLimit | undefined, job: JobCircumstances): string {
  const above = full === undefined ? '' : heldByAncestors(full)
  if (above !== '') return `.${above}`
  const pace = full?.nextTime && !job.estimate ? '' : `; ${paceText(job)}`
  return `${aheadText(job)}${pace}.`
}

const UNITS = [
  { name: 's', ms: 1_000 },
  { name: 'min', ms: 60_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'days', ms: 24 * 3_600_000 },
] as const
/** Two of a unit are told by it, less by the one below. */
const OF_UNIT_MIN = 2

function spanText({ earliestMs, latestMs }: StartEstimate): string {
  const [from, to] = [inUnit(earliestMs, Math.floor), inUnit(latestMs, Math.ceil)]
  if (from.unit !== to.unit) return `${from.count} ${from.unit} to ${to.count} ${to.unit}`
  return from.count === to.count ? `${to.count} ${to.unit}` : `${from.count}–${to.count} ${to.unit}`
}

function inUnit(ms: number, round: (count: number) => number) {
  const { name: unit, ms: unitMs } =
    UNITS.findLast((each) => ms >= each.ms * OF_UNIT_MIN) ?? UNITS[0]
  return { unit, count: round(ms / unitMs) }
}

function jobs(count: number): string {
  return count === 1 ? 'one job' : `${count} jobs`
}

function executors(count: number): string {
  return count === 1 ? 'the one executor runs' : `all ${count} executors run`
}

/** What an executor has to have beside the method. */
function inPool(pool: string): string {
  const home = withoutVersion(pool)
  const version = requiredVersionOf(pool)
  return `${home && ` and serves the pool ${home}`}${version && ` and announces version ${version} of it`}`
}

function inVersion(pool: string): string {
  const version = requiredVersionOf(pool)
  return version && ` by version ${version}`
}

const VERSIONS_TOLD_MAX = 5

function otherVersions(executors: readonly SeenExecutor[], method: string): string {
  const all = [...new Set(executors.map(({ version }) => version || 'none'))].sort()
  const more = all.length > VERSIONS_TOLD_MAX ? ' and others' : ''
  const versions = `${all.slice(0, VERSIONS_TOLD_MAX).join(', ')}${more}`
  return executors.length === 1
    ? `: of ${method} the one that is there announces version ${versions}`
    : `: of ${method} the ${executors.length} that are there announce version ${versions}`
}

/** What the executors do instead that are there, or were lately; without their names, which not everybody may see. */
function whoIsThere(executors: readonly SeenExecutor[], method: string): string {
  const taking = executors.filter(isTaking)
  const elsewhere = taking.filter(({ servesPool }) => !servesPool)
  const others = taking.filter((executor) => executor.servesPool && !executor.hasVersion)
  if (others.length > 0) return otherVersions(others, method)
  if (elsewhere.length > 0) {
    return elsewhere.length === 1
      ? ': the one that runs it serves other pools'
      : `: the ${elsewhere.length} that run it serve other pools`
  }
  const last = executors.find(isFor)
  if (last === undefined) return ', nor was one within the last ten minutes'
  const { attached, draining, seenTime } = last
  if (attached && draining) return ': the last one takes no more work'
  const time = seenTime.toISOString()
  return attached
    ? `: nothing has been heard of the last one since ${time}`
    : `: the last one was seen at ${time}`
}
