import { test } from 'vitest'
import { expectExactlyOnceWith } from './testing/exactly-once.ts'

test('with NATS stopped and a scheduler and an executor killed half-way, none is lost and none completed twice', async () => {
  await expectExactlyOnceWith(4_000, async ({ nats, executors, schedulers }) => {
    await Promise.all([
      nats.stop(),
      executors[0]?.process.kill('SIGKILL'),
      schedulers[1]?.process.kill('SIGKILL'),
    ])
  })
}, 240_000)
