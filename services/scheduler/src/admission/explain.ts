/** Why a job waits, in one sentence, naming who holds it back (row J25). */

import { type Actor, may, mayForOthers, mayTouch } from '@offstage/kit/auth'
import { laneNameOf } from '@offstage/proto/lanes'
import { type FullLimit, type Gate, gateOf, type Holders, type WaitCause } from '../domain/gate.ts'
import type { JobId } from '../domain/ids.ts'
import type { JobCircumstances } from '../domain/job-query.ts'
import { isTerminal, JobState } from '../domain/job-state.ts'
import { spelledPool } from '../domain/pool.ts'
import type { JobReads } from '../ports/job-reads.ts'
import { jobNotFound } from '../refusals.ts'
import { heldByAncestors } from './held-by-ancestors.ts'

export interface Explanation {
  readonly cause: WaitCause | 'none'
  readonly text: string
  readonly holders: readonly string[]
  readonly ahead: number
}

export type ExplainJob = (actor: Actor, namespace: string, jobId: JobId) => Promise<Explanation>

export function createExplainJob(store: Pick<JobReads, 'readCircumstances'>): ExplainJob {
  return async (actor, namespace, jobId) => {
    const owner = mayForOthers(actor, 'jobs.read') ? undefined : actor.user
    const job = await store.readCircumstances(namespace, jobId, owner)
    if (job === undefined || !mayTouch(actor, 'jobs.read', job)) throw jobNotFound(jobId)
    const gate = gateOf(job.circumstances)
    const { ahead } = job
    if (gate === undefined) return { cause: 'none', text: passage(job), holders: [], ahead }
    return {
      cause: gate.cause,
      text: textOf(gate, job),
      holders: holdersOf(actor, gate, job),
      ahead,
    }
  }
}

/** Nothing is in its way. */
function passage({ state }: JobCircumstances): string {
  if (isTerminal(state)) return 'It has ended.'
  return state === JobState.running ? 'It runs.' : 'It is about to be assigned.'
}

function textOf(gate: Gate, { namespace, method, lane, pool }: JobCircumstances): string {
  switch (gate.cause) {
    case 'children':
      if (isFree(gate)) return 'Its children have ended, and it is about to go on.'
      return `It waits for its children, of which ${holderOf(gate)} has not ended.`
    case 'key':
      if (isFree(gate)) return 'Its key has become free, and it is about to take it.'
      return `Its key is held by ${holderOf(gate)}.`
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
    case 'limit':
      return limitText(method, gate.limit) + (gate.limit ? heldByAncestors(gate.limit) : '')
    case 'no-executor':
      return `No executor that runs ${method}${inPool(pool)} is attached to namespace ${namespace}.`
    case 'no-slot':
      return gate.slots === 0
        ? `No executor that runs ${method}${inPool(pool)} has the lane ${laneNameOf(lane)}.`
        : `Of ${gate.slots} slots ${pool && `of the pool ${pool} `}for ${method} in the lane ${laneNameOf(lane)} none is free for it.`
  }
}

function limitText(method: string, full: FullLimit | undefined): string {
  if (full === undefined) return `The limits of ${method} have no room for it.`
  const { limit, key, nextTime } = full
  const { concurrencyMax = 0, rate, keyExpression } = limit
  const what = key === undefined ? method : `${method} whose ${keyExpression} is "${key}"`
  if (nextTime === undefined || rate === undefined) {
    return `Of ${what} ${jobs(concurrencyMax)} may run at once, and ${concurrencyMax === 1 ? 'one does' : 'as many do'}.`
  }
  return `Of ${what} ${jobs(rate.count)} may begin in ${rate.periodMs / 1_000} s, and the next may at ${nextTime.toISOString()}.`
}

function jobs(count: number): string {
  return count === 1 ? 'one job' : `${count} jobs`
}

function inPool(pool: string): string {
  return pool === '' ? '' : ` and serves the pool ${pool}`
}

function isFree({ jobIds, hidden }: Holders): boolean {
  return jobIds.length === 0 && !hidden
}

/** One that does not exist for who asks is not named. */
function holderOf({ jobIds: [first] }: Holders): string {
  return first === undefined ? 'a job of somebody else' : `job ${first}`
}

function holdersOf(
  actor: Actor,
  gate: Gate,
  { namespace, method, pool }: JobCircumstances,
): readonly string[] {
  switch (gate.cause) {
    case 'children':
    case 'key':
    case 'limit':
      return gate.jobIds
    case 'no-slot':
      // Executors exist for those who may list them.
      return may(actor, 'executors.read') ? gate.sessionIds : []
    case 'paused':
      return [{ namespace, method, pool: spelledPool(pool) }[gate.pause?.what ?? 'method']]
    case 'not-due':
    case 'no-executor':
      return []
  }
}
