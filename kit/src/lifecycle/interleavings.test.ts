import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { composeServices } from './compose-services.ts'
import { createService } from './service.ts'

interface Part {
  readonly startTurns: number
  readonly stopTurns: number
  readonly startFails: boolean
  readonly stopFails: boolean
  readonly heedsAbort: boolean
}

const turns = fc.nat({ max: 3 })
const part: fc.Arbitrary<Part> = fc.record({
  startTurns: turns,
  stopTurns: turns,
  startFails: fc.boolean(),
  stopFails: fc.boolean(),
  heedsAbort: fc.boolean(),
})
const call = fc.record({
  afterTurns: turns,
  kind: fc.constantFrom('start', 'stop', 'dispose'),
})

async function wait(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await turn()
}

/** Acquires in two steps, so that a start can break off half-way. */
function createPart(spec: Part, name: string) {
  const seen = { held: 0, starts: 0, stops: 0, overlaps: 0, busy: false }
  const alone = async (work: () => Promise<void>) => {
    if (seen.busy) seen.overlaps += 1
    seen.busy = true
    await work().finally(() => {
      seen.busy = false
    })
  }
  const service = createService({
    name,
    start: (signal) =>
      alone(async () => {
        seen.starts += 1
        seen.held += 1
        await wait(spec.startTurns)
        if (spec.heedsAbort) signal.throwIfAborted()
        if (spec.startFails) throw new Error(`${name} cannot start`)
        seen.held += 1
      }),
    stop: () =>
      alone(async () => {
        seen.stops += 1
        await wait(spec.stopTurns)
        seen.held = 0
        if (spec.stopFails) throw new Error(`${name} cannot stop`)
      }),
  })
  return { service, seen }
}

test('whatever the order of start, stop and dispose, stop settles and nothing leaks', async () => {
  const scenario = fc.record({
    parts: fc.array(part, { minLength: 1, maxLength: 4 }),
    calls: fc.array(call, { minLength: 1, maxLength: 8 }),
    nested: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ parts, calls, nested }) => {
      const made = parts.map((spec, index) => createPart(spec, `part ${index}`))
      const services = made.map(({ service }) => service)
      const flat = composeServices('all', services)
      const all = nested ? composeServices('outer', [flat]) : flat
      const outcomes: PromiseLike<unknown>[] = []
      for (const { afterTurns, kind } of calls) {
        await wait(afterTurns)
        const outcome = kind === 'dispose' ? all[Symbol.asyncDispose]() : all[kind]()
        outcomes.push(Promise.allSettled([outcome]))
      }
      await all.stop().catch(() => undefined)
      await Promise.all(outcomes)

      for (const { seen } of made) {
        expect(seen).toMatchObject({ held: 0, overlaps: 0, busy: false })
        expect(seen.starts).toBeLessThanOrEqual(1)
        expect(seen.stops).toBe(seen.starts)
      }
      await expect(all.start()).rejects.toThrow()
    }),
    { numRuns: 500 },
  )
})
