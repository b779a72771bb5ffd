import { expect, test } from 'vitest'
import { createInProcessBus } from './in-process-bus.ts'

test('messages beyond the limit of waiting ones are dropped and counted', async () => {
  await using bus = createInProcessBus()
  let got = 0
  bus.subscribe('job', () => {
    got += 1
  })
  for (let n = 0; n < 65_536 + 10; n += 1) bus.publish('job', '')
  await bus.flush()
  expect(got).toBe(65_536)
  expect(bus.stats()).toEqual({ published: 65_536, dropped: 10, received: 65_536 })
  bus.publish('job', '')
  await bus.flush()
  expect(got).toBe(65_537)
})
