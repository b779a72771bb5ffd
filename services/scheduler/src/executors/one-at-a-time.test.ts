import { expect, test } from 'vitest'
import { oneAtATime } from './one-at-a-time.ts'

test('work runs once at a time, and once more for all that asked meanwhile', async () => {
  const runs: PromiseWithResolvers<void>[] = []
  const ask = oneAtATime(() => {
    const run = Promise.withResolvers<void>()
    runs.push(run)
    return run.promise
  })
  for (let n = 0; n < 1_000; n += 1) ask()
  expect(runs).toHaveLength(1)
  runs[0]?.resolve()
  await expect.poll(() => runs.length).toBe(2)
  runs[1]?.resolve()
  await runs[1]?.promise
  await new Promise(setImmediate)
  expect(runs).toHaveLength(2)
  ask()
  expect(runs).toHaveLength(3)
})
