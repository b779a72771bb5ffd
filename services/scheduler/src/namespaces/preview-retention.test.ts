import { expect, test } from 'vitest'
import { createPreviewRetention } from './preview-retention.ts'

test('a preview of a table too long to be read in time is refused, and says that the limits hold all the same', async () => {
  const settings = {
    revision: 1,
    paused: false,
    pausedPools: [],
    retention: [],
    limits: [],
    announcedLimits: [],
    exclusive: undefined,
  }
  const preview = createPreviewRetention(
    { read: async () => settings },
    { preview: async () => undefined },
  )
  const refusal = await preview('default', undefined).catch((error) => error)
  expect(refusal.reason).toBe('DATABASE_UNAVAILABLE')
  expect(refusal.message).toMatch(/took too long.* whole table .*The limits hold all the same/)
})
