/**
 * Faults under every scheduler that a test sets up, where FAULTS_SEED is set: one statement in FAULTS_ONE_IN (default 100) fails,
 * or is applied and its answer lost. What the caller sees of it is UNAVAILABLE, which is asked again as the SDK does: so what a
 * test promises is to hold all the same.
 */
import {
  type ClientOptions,
  InterceptingCall,
  type Interceptor,
  type Requester,
} from '@grpc/grpc-js'
import type { Database } from '@offstage/kit/database'
import { createChance } from '@offstage/testkit'
import { v7 } from 'uuid'
import { type SchedulerDatabases, sharedDatabase } from '../../store/databases.ts'
import { withFaults } from './faulty-database.ts'

const { FAULTS_SEED, FAULTS_ONE_IN = '100' } = process.env
const chance = createChance(Number(FAULTS_SEED ?? 0))

/**
 * Undefined where there are to be none. `namesAttempts`: the test file speaks of attempts by their numbers. What a start or a
 * claim has begun goes back into the queue where its answer is lost, and begins again under the next number: so there none is.
 */
export const faults =
  FAULTS_SEED === undefined
    ? undefined
    : { seed: FAULTS_SEED, story: [] as string[], namesAttempts: false }

export interface Armed {
  readonly databases: Database | SchedulerDatabases
  /** From now on they fail. A start that fails is the operator's to repeat, and no test's. */
  arm(): void
}

export function underFaults(databases: Database | SchedulerDatabases): Armed {
  if (faults === undefined) return { databases, arm: () => {} }
  const { story } = faults
  let isArmed = false
  const oneIn = Number(FAULTS_ONE_IN)
  const options = {
    chance,
    mayLose: (statement: string) => !(faults.namesAttempts && /^(?:insert|claim)_/.test(statement)),
    strikes: () => isArmed && chance.within(1, oneIn) === 1,
    onFault: (statement: string, how: string) => void story.push(`${statement} ${how}`),
  }
  const sets = 'calls' in databases ? databases : sharedDatabase(databases)
  const { calls, listings, work, leases } = sets
  return {
    databases: {
      ...sets,
      calls: withFaults(calls, options),
      listings: withFaults(listings, options),
      work: withFaults(work, options),
      leases: withFaults(leases, options),
    },
    arm() {
      isArmed = true
    },
  }
}

const MESSAGE_BYTES_MAX = 8 * 1024 * 1024

/** Of all clients of tests. */
export function clientOptions(): ClientOptions {
  if (faults === undefined) return {}
  const retryPolicy = {
    maxAttempts: 5,
    initialBackoff: '0.02s',
    maxBackoff: '0.2s',
    backoffMultiplier: 2,
    retryableStatusCodes: ['UNAVAILABLE'],
  }
  const config = { methodConfig: [{ name: [{}], retryPolicy }] }
  return {
    'grpc.service_config': JSON.stringify(config),
    // What is larger would not be sent again.
    'grpc.per_rpc_retry_buffer_size': MESSAGE_BYTES_MAX,
    interceptors: [namingRequests],
  }
}

interface Start {
  requestId: string
}
type Message = Partial<Start> & { job?: Start; jobs?: Start[] }

/** What is asked again is the same start, by its request id. */
const namingRequests: Interceptor = (options, nextCall) => {
  const isStart = /\/StartJobs?$/.test(options.method_definition.path)
  const requester: Requester = {
    sendMessage(message: Message, next) {
      const { job, jobs = [] } = message
      for (const named of [message, ...(isStart ? [job, ...jobs] : [])]) {
        if (named?.requestId === '') named.requestId = v7()
      }
      next(message)
    },
  }
  return new InterceptingCall(nextCall(options), requester)
}
