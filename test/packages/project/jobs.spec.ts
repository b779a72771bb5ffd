import { createManualClock, idleHandlers } from '@offstage/sdk/idle'
import { reusable } from '@offstage/sdk/values'
import { expect, test } from 'vitest'
import { greet } from './jobs.ts'

test('a job of ours is what we defined', () => {
  expect(greet.method).toBe('greetings.greet')
})

test('idle handlers run by a clock of the test, and a value is computed once', async () => {
  const clock = createManualClock()
  const handlers = idleHandlers({ clock })
  let computed = 0
  const value = reusable(() => ({ computed: ++computed }), { name: 'value' })
  handlers.attach(handlers.owner('form', 'orders'), () => void value(), { intervalMs: 500 })
  await clock.advance(2_000)
  expect(value()).toEqual({ computed: 1 })
})
