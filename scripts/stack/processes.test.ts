import { expect, test } from 'vitest'
import { describeStack } from './processes.ts'

test('what asks a scheduler asks that of its own stack, wherever its ports are', async () => {
  const { processes, scheduler } = await describeStack(9_000, 'jobs.ts')
  const asked = processes.map(({ name, env }) => [name, env.OFFSTAGE_SCHEDULER])
  expect(Object.fromEntries(asked)).toMatchObject({ storage: scheduler, executor: scheduler })
})
