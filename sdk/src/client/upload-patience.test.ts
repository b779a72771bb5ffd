import { expect, test } from 'vitest'
import { OffstageError } from '../grpc/mod.ts'
import { createManualClock } from '../idle/manual-clock.ts'
import { uploadPatience } from './upload-patience.ts'

const away = new OffstageError({ code: 14, reason: 'SERVICE_UNREACHABLE', message: 'away' })
const busy = new OffstageError({
  code: 14,
  reason: 'STORAGE_UNAVAILABLE',
  message: 'another call is still writing to upload-1',
  metadata: { upload: 'upload-1' },
})

test('an upload is given up after 12 failures', () => {
  const giveUp = uploadPatience({ clock: createManualClock() })
  const answers = Array.from({ length: 12 }, () => giveUp(away))
  expect(answers).toEqual([...Array(11).fill(false), true])
})

test('an upload outwaits the lease of a writer that died, however often it is refused', () => {
  const clock = createManualClock()
  const giveUp = uploadPatience({ clock })
  for (let second = 0; second < 60; second += 1) {
    expect(giveUp(busy)).toBe(false)
    clock.jump(1_000)
  }
  expect(giveUp(busy)).toBe(true)
})
