/** Claims of the method that has limits (row J20): how many begin, and which. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { type Claim, claimable, hasServed, idsOf, pools, queueRefs } from './attempts.ts'
import { command, type JobCommand } from './command.ts'
import { takeInTurn } from './in-turn.ts'
import { LIMITED, type Limits, type Model } from './model.ts'
import type { Real } from './real.ts'

const HOUR_MS = 3_600_000
/** More than a test takes. */
const SLACK_MS = HOUR_MS / 4

export const limitedClaims: fc.Arbitrary<JobCommand> = fc
  .record({ who: fc.nat(5), slots: fc.integer({ min: 1, max: 4 }), pools })
  .map((of) =>
    command(
      `claim limited ${JSON.stringify(of)}`,
      (model, real) => claimLimited(of, model, real),
      hasServed,
    ),
  )

async function claimLimited({ who, slots, pools: served }: Claim, model: Model, real: Real) {
  const executor = model.served(who)
  if (executor === undefined) return
  const by = served.join()
  const lastKey = model.lastKeys.get(by) ?? ''
  const { taken, ...told } = await real.work.claimLimited({
    ...{ namespace: 'default', method: LIMITED, queues: queueRefs([LIMITED], served) },
    ...{ afterKey: lastKey, giveKeys: false },
    attachmentIds: Array.from({ length: slots }, () => executor.attachmentId),
  })
  const { limits, buckets, now } = model
  const isShut = model.paused.namespace || model.paused.methods.has(LIMITED)
  if (limits === undefined || isShut) {
    expect({ jobs: taken.jobs, ...told }).toMatchObject({ jobs: [], queued: false })
    return
  }
  buckets.settle(now)
  const tokens = (key?: string) =>
    buckets.tokens((key === undefined ? limits.whole : limits.perKey)?.rate, now, key)
  const expected = takeInTurn(claimable(model, LIMITED, served), model.running(LIMITED), {
    ...{ limits, slots, tokens, lastKey },
  })
  expect(idsOf(taken.jobs)).toEqual(idsOf(expected.jobs))
  expect(told.lastKey).toBe(expected.lastKey)
  for (const job of expected.jobs) {
    model.claim(job, executor)
    buckets.take(limits.whole?.rate, now)
    buckets.take(limits.perKey?.rate, now, job.limitKey)
    model.windows.begins(limits, model.passedHours, job.limitKey)
  }
  if (expected.lastKey !== undefined) model.lastKeys.set(by, expected.lastKey)
  const begun = expected.jobs.map(({ limitKey }) => limitKey)
  if (limits.perKey === undefined) model.turns.clear()
  else if (expected.ready !== undefined) model.turns.claimed({ by, ready: expected.ready, begun })
  if (begun.length > 0) expectWithin(limits, begun, model)
  const isQueued = model.queued(LIMITED).length > 0
  expect(told.queued).toBe(isQueued)
  expectAgain(told.againMs, isQueued ? againHours(limits, tokens()) : undefined)
}

/** None has begun but where there was room. */
function expectWithin({ whole, perKey }: Limits, begun: readonly string[], model: Model): void {
  const running = model.running(LIMITED)
  expect(running.length).toBeLessThanOrEqual(whole?.max ?? running.length)
  for (const key of begun) {
    const { length } = running.filter(({ limitKey }) => limitKey === key)
    expect(length).toBeLessThanOrEqual(perKey?.max ?? length)
  }
}

/** When a rate has room again at the earliest. */
function againHours({ whole, perKey }: Limits, tokens: number): number | undefined {
  const waits = [
    ...(whole?.rate && tokens < 1 ? [((1 - tokens) * whole.rate.hours) / whole.rate.count] : []),
    ...(perKey?.rate ? [perKey.rate.hours / perKey.rate.count] : []),
  ]
  return waits.length === 0 ? undefined : Math.min(...waits)
}

function expectAgain(ms: number | undefined, hours: number | undefined): void {
  if (hours === undefined) expect(ms).toBeUndefined()
  else {
    expect(ms).toBeGreaterThan(hours * HOUR_MS - SLACK_MS)
    expect(ms).toBeLessThanOrEqual(hours * HOUR_MS)
  }
}
