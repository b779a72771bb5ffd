import { expect, test } from 'vitest'
import { oncePerMinute } from './once-per-minute.ts'

test('of each key one a minute is told, with how many more there were', () => {
  const lines: unknown[][] = []
  let nowMs = 0
  const tell = oncePerMinute<[string]>(
    (...line) => lines.push(line),
    () => nowMs,
  )
  for (let i = 0; i < 100; i += 1) tell('a', `first ${i}`)
  tell('b', 'other')
  nowMs = 60_000
  tell('a', 'later')
  expect(lines).toEqual([
    ['a', 0, 'first 0'],
    ['b', 0, 'other'],
    ['a', 99, 'later'],
  ])
})
