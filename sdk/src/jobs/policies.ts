/** How options of definitions and starts look on the wire. */
import { durationFrom } from '@offstage/proto/durations'
import {
  type Deadlines,
  Lane,
  type MethodLimit,
  type RetryPolicy,
  ChildrenPolicy as WireChildrenPolicy,
  type StartableBy as WireStartableBy,
} from '@offstage/proto/jobs'
import { LANE_DEFAULT, LANES, type LaneName, laneNameOf } from '@offstage/proto/lanes'
import { backoffMsMaxDefault, RETRY_DEFAULTS } from '@offstage/proto/retry-defaults'
import type { ChildrenPolicy, DeadlineOptions, JobLimit, RetryOptions } from './method.ts'

/** The lane's number on the wire; unset stays unset, so that the method's own lane is taken (row A1). */
export function laneFrom(name: LaneName | undefined): Lane {
  return name === undefined ? Lane.LANE_UNSPECIFIED : LANES[name]
}

/** The name of a lane of the wire; where none is said, the default. */
export function laneNameFrom(lane: Lane): LaneName {
  return laneNameOf(lane) ?? LANE_DEFAULT
}

/** Fills the gaps with the documented defaults (row J16); unset stays unset. */
export function retryPolicyFrom(options: RetryOptions | undefined): RetryPolicy | undefined {
  if (options === undefined) return undefined
  const { initialBackoffMs = RETRY_DEFAULTS.initialBackoffMs } = options
  return {
    maxAttempts: options.maxAttempts ?? RETRY_DEFAULTS.maxAttempts,
    initialBackoff: durationFrom(initialBackoffMs),
    backoffMultiplier: options.backoffMultiplier ?? RETRY_DEFAULTS.backoffMultiplier,
    maxBackoff: durationFrom(options.backoffMsMax ?? backoffMsMaxDefault(initialBackoffMs)),
    jitter: options.jitter ?? RETRY_DEFAULTS.jitter,
  }
}

const CHILDREN_POLICIES_ON_WIRE = {
  all: WireChildrenPolicy.CHILDREN_POLICY_ALL,
  first: WireChildrenPolicy.CHILDREN_POLICY_FIRST,
  ignore: WireChildrenPolicy.CHILDREN_POLICY_IGNORE,
} as const satisfies Record<ChildrenPolicy, WireChildrenPolicy>

/** Unset stays unset, so that the method's own is taken (row A5). */
export function childrenPolicyFrom(policy: ChildrenPolicy | undefined): WireChildrenPolicy {
  return policy === undefined
    ? WireChildrenPolicy.CHILDREN_POLICY_UNSPECIFIED
    : CHILDREN_POLICIES_ON_WIRE[policy]
}

interface Starters {
  readonly roles?: readonly string[]
  readonly users?: readonly string[]
}

/** Unset stays unset: whoever may start jobs. */
export function startersFrom(starters: Starters | undefined): WireStartableBy | undefined {
  return starters && { roles: [...(starters.roles ?? [])], users: [...(starters.users ?? [])] }
}

/** Unset limits stay unset (row J17). */
export function deadlinesFrom(options: DeadlineOptions | undefined): Deadlines | undefined {
  if (options === undefined) return undefined
  return {
    queue: durationFrom(options.queueMs),
    attempt: durationFrom(options.attemptMs),
    total: durationFrom(options.totalMs),
    heartbeat: durationFrom(options.heartbeatMs),
  }
}

/** Without a method it is that of the definition it stands in (row J20). */
export function jobLimitFrom(limit: JobLimit, method = ''): MethodLimit {
  const { per = '', concurrencyMax = 0, rate, queuedMax = 0 } = limit
  return {
    method,
    keyExpression: per,
    maxConcurrency: concurrencyMax,
    rate: rate?.count ?? 0,
    ratePeriod: durationFrom(rate?.periodMs),
    burst: rate?.burst ?? 0,
    maxQueued: queuedMax,
  }
}
