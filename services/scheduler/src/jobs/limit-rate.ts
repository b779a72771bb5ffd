import { TokenBuckets } from '@offstage/kit/fairness'
import { Refusal } from '@offstage/kit/grpc'
import type { StartCommand } from '../domain/start-command.ts'

/** Throws RATE_LIMITED where the owner of these starts has started too many of late. All are of one owner and namespace. */
export type LimitRate = (commands: readonly Pick<StartCommand, 'owner' | 'namespace'>[]) => void

/** Undefined where owners may start any number. */
export function createLimitRate(perSecond: number | undefined): LimitRate | undefined {
  if (perSecond === undefined) return undefined
  const buckets = new TokenBuckets(perSecond)
  return (commands) => {
    const [first] = commands
    if (first === undefined) return
    const waitMs = buckets.take(`${first.namespace} ${first.owner}`, commands.length)
    if (waitMs > 0) throw startsTooFast(perSecond, waitMs)
  }
}

function startsTooFast(perSecond: number, retryDelayMs: number): Refusal {
  return new Refusal({
    reason: 'RATE_LIMITED',
    message: `you start more than ${perSecond} jobs a second, which is the limit for one owner; nothing of this call was kept`,
    metadata: { limit: 'starts_per_second', max: String(perSecond) },
    retryDelayMs: Math.ceil(retryDelayMs),
  })
}
