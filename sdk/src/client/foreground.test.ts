import { expect, test } from 'vitest'
import { setUpClient } from '../testing/client-fixture.ts'

/** Attaches at once, and each time it is asked by another id. */
function setUp() {
  let asked = 0
  const id = async () => `session ${++asked}`
  const methods = async () => new Set(['here'])
  const open = async () => ({ id, close: async () => {} })
  return setUpClient({ foreground: { prefer: false, methods, open } })
}
const UNKNOWN = { code: 5, reason: 'EXECUTOR_SESSION_NOT_FOUND' } as const

test('a start waits until the session of this process is attached anew, where its lease was lost', async () => {
  await using it = await setUp()
  it.scheduler.refusals = [UNKNOWN, UNKNOWN]
  const { id } = await it.offstage.startJob('here', undefined, { mode: 'foreground' })
  const { spec } = it.scheduler.jobOf(id)
  expect(spec.executorSessionId).toBe('session 3')
})

test('a session that the caller names itself is named once', async () => {
  await using it = await setUp()
  it.scheduler.refusals = [UNKNOWN]
  const named = { mode: 'foreground', executorSessionId: 'of another' } as const
  await expect(it.offstage.startJob('here', undefined, named)).rejects.toMatchObject({
    reason: 'EXECUTOR_SESSION_NOT_FOUND',
  })
})
