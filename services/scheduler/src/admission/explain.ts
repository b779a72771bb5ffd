/** Why a job waits, in one sentence, naming who holds it back, and when it may begin (row J25). */

import { type Actor, may, mayForOthers, mayTouch } from '@offstage/kit/auth'
import { type Gate, gateOf, type WaitCause } from '../domain/gate.ts'
import type { JobId } from '../domain/ids.ts'
import type { JobCircumstances, Place } from '../domain/job-query.ts'
import type { StartEstimate } from '../domain/pace.ts'
import { spelledPool } from '../domain/pool.ts'
import type { SeenExecutor } from '../domain/seen-executor.ts'
import type { JobReads } from '../ports/job-reads.ts'
import { explainingTooSlow, jobNotFound } from '../refusals.ts'
import { explanationText } from './explanation-text.ts'

export interface Explanation {
  readonly cause: WaitCause | 'none'
  readonly text: string
  readonly holders: readonly string[]
  readonly place: Place
  readonly estimate: StartEstimate | undefined
  readonly executors: readonly SeenExecutor[]
}

export type ExplainJob = (actor: Actor, namespace: string, jobId: JobId) => Promise<Explanation>

/** Of holders, and of executors. */
const TOLD_MAX = 10

export function createExplainJob(store: Pick<JobReads, 'readCircumstances'>): ExplainJob {
  return async (actor, namespace, jobId) => {
    const owner = mayForOthers(actor, 'jobs.read') ? undefined : actor.user
    const job = await store.readCircumstances(namespace, jobId, owner)
    if (job === 'too-slow') throw explainingTooSlow()
    if (job === 'absent' || !mayTouch(actor, 'jobs.read', job)) throw jobNotFound(jobId)
    const found = gateOf(job.circumstances)
    const gate = mayTouch(actor, 'jobs.payload', job) ? found : withoutPayload(found)
    const estimate = passesByItself(gate) ? job.estimate : undefined
    // Executors exist for those who may list them.
    const seesExecutors = may(actor, 'executors.read')
    return {
      cause: gate?.cause ?? 'none',
      text: explanationText(gate, { ...job, estimate }),
      holders: gate === undefined ? [] : holdersOf(gate, job, seesExecutors).slice(0, TOLD_MAX),
      place: job.place,
      estimate,
      executors: seesExecutors ? job.executors.slice(0, TOLD_MAX) : [],
    }
  }
}

const OF_PARAMS = /\bparams\b/

/** Limits may go by what the parameters are. */
function withoutPayload(gate: Gate | undefined): Gate | undefined {
  if (gate?.cause !== 'limit' || gate.limit === undefined) return gate
  if (!OF_PARAMS.test(gate.limit.limit.keyExpression ?? '')) return gate
  return { ...gate, limit: { ...gate.limit, keyHidden: true } }
}

/** What is held back by nothing else begins by the pace of its queue. What is above a job may wait for it. */
function passesByItself(gate: Gate | undefined): boolean {
  if (gate?.cause === 'limit') return !gate.limit?.ancestors
  return gate?.cause === 'no-slot'
}

function holdersOf(
  gate: Gate,
  { namespace, method, pool }: JobCircumstances,
  seesExecutors: boolean,
): readonly string[] {
  switch (gate.cause) {
    case 'children':
    case 'lock':
    case 'key':
    case 'limit':
      return gate.jobIds
    case 'no-fit':
    case 'no-slot':
      return seesExecutors ? gate.sessionIds : []
    case 'paused':
      return [{ namespace, method, pool: spelledPool(pool) }[gate.pause?.what ?? 'method']]
    case 'exclusive-mode':
      return gate.holder === undefined ? [] : [gate.holder.owner]
    case 'not-due':
    case 'no-executor':
      return []
  }
}
