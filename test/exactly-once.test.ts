import { test } from 'vitest'
import { expectExactlyOnceWith } from './testing/exactly-once.ts'

test('ten thousand jobs through two schedulers and two executors are completed exactly once', async () => {
  await expectExactlyOnceWith(10_000, async () => {})
}, 240_000)

test('with PostgreSQL restarted half-way, none is lost and none completed twice', async () => {
  await expectExactlyOnceWith(4_000, async ({ postgres }) => postgres.restart('immediate'), {
    postgres: {},
  })
}, 240_000)
