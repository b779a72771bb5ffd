import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTestTable } from '../testing/test-table.ts'
import type { OwnerLevel } from './owner.ts'

interface Habit {
  readonly level: OwnerLevel
  readonly intervalMs: number
  readonly takesMs: number
  /** Keeps the thread instead of returning a promise. */
  readonly isSync: boolean
}

interface Run {
  readonly who: number
  readonly startedAtMs: number
  endedAtMs: number
}

const tens = (min: number, max: number) => fc.integer({ min, max }).map((n) => n * 10)
const habit = fc.record<Habit>({
  level: fc.constantFrom('application', 'module', 'form'),
  intervalMs: tens(10, 60),
  takesMs: fc.oneof(fc.constant(0), tens(1, 90)),
  isSync: fc.boolean(),
})

async function runsOf(habits: readonly Habit[]): Promise<Run[]> {
  using it = createTestTable()
  const runs: Run[] = []
  for (const [who, { level, intervalMs, takesMs, isSync }] of habits.entries()) {
    const work = () => {
      const run: Run = { who, startedAtMs: it.clock.now(), endedAtMs: Number.POSITIVE_INFINITY }
      runs.push(run)
      const end = () => {
        run.endedAtMs = it.clock.now()
      }
      if (!isSync) return it.clock.delay(takesMs).then(end)
      it.clock.jump(takesMs)
      return end()
    }
    it.table.attach(it.table.owner(level), work, { intervalMs })
  }
  // In steps, as one call ends early when handlers keep the thread beyond its end.
  for (let n = 0; n < 30; n += 1) await it.clock.advance(100)
  it.table.dispose()
  await it.clock.advance(1_000)
  return runs
}

/** The first beat after `ms` of what was attached at 0. */
const beatAfter = (ms: number, { intervalMs }: Habit) =>
  (Math.floor(ms / intervalMs) + 1) * intervalMs

/** Tells of each run that came again before somebody who was due when the run before it ended. */
function overtakingsIn(runs: readonly Run[], habits: readonly Habit[]): string[] {
  return runs.flatMap((run, at) => {
    const again = runs.findIndex((other, n) => n > at && other.who === run.who)
    if (again < 0) return []
    const overtaken = habits.flatMap((habit, who) => {
      const last = runs.slice(0, at + 1).findLast((other) => other.who === who)
      const dueAtMs = beatAfter(last?.startedAtMs ?? 0, habit)
      const hasRun = runs.slice(at + 1, again).some((other) => other.who === who)
      return who === run.who || dueAtMs > run.endedAtMs || hasRun ? [] : [who]
    })
    return overtaken.map((who) => `${run.who}@${runs[again]?.startedAtMs} came before ${who}`)
  })
}

test('whatever their levels, intervals and lengths, nobody comes again before those that were waiting', async () => {
  let count = 0
  await fc.assert(
    fc.asyncProperty(fc.array(habit, { minLength: 2, maxLength: 5 }), async (habits) => {
      const runs = await runsOf(habits)
      count += runs.length
      expect(overtakingsIn(runs, habits)).toEqual([])
    }),
    { numRuns: 100 },
  )
  expect(count).toBeGreaterThan(1_000)
})
