import { expect, test } from 'vitest'
import { startFakeStorage } from '../testing/fake-storage.ts'
import { setup } from '../testing/setup.ts'

const LEFT_OPEN = 'a handler left something open, which was closed at the end of its run'
const here = expect.stringMatching(/^ {4}at Object\.run \(.*run-jobs\.ts:\d+:\d+\)$/)

test.each(['return', 'throw', 'stop'] as const)(
  'a transaction that a handler leaves open is rolled back before its attempt ends, and told once in the log (%s)',
  async (how) => {
    await using it = await setup()
    const { attachment, logged } = it
    attachment.assign('a', 'test.careless', { how })
    if (how === 'stop') {
      await attachment.running('a')
      attachment.cancel('a', { graceMs: 60_000 })
    }
    const { outcome } = await attachment.result('a')
    const ends = { return: 'succeeded', throw: 'failed', stop: 'canceled' }
    expect(outcome?.$case).toBe(ends[how])
    attachment.assign('b', 'test.careful')
    expect(await attachment.value('b')).toEqual([
      ['BEGIN', 'a', 'ROLLBACK'],
      ['BEGIN', 'b', 'COMMIT'],
    ])
    expect(logged).toEqual([
      expect.objectContaining({
        ...{ level: 'warn', msg: LEFT_OPEN, method: 'test.careless', job: 'a', attempt: 1 },
        leftOpen: [{ what: 'a transaction', openedAt: here }],
      }),
    ])
  },
)

test('attempts side by side on one thread each close their own, and those that close theirs are not told of', async () => {
  await using it = await setup()
  const { attachment, logged } = it
  attachment.assign('a', 'test.careless', { how: 'stop' })
  await attachment.running('a')
  attachment.assign('b', 'test.careful')
  expect(await attachment.fault('b')).toMatchObject({ reason: 'TransactionForeignError' })
  expect(logged).toEqual([])
  attachment.cancel('a', { graceMs: 60_000 })
  await attachment.result('a')
  expect(logged).toHaveLength(1)
})

test('a stream that a handler gives is read within its run: what it reads from is not closed before', async () => {
  await using storage = await startFakeStorage()
  await using it = await setup({ OFFSTAGE_STORAGE: storage.address })
  const { attachment, logged } = it
  attachment.assign('a', 'test.selection')
  await attachment.result('a')
  const [stored] = [...storage.values.values()]
  expect(stored?.bytes.toString()).toBe('test.selection '.repeat(3))
  attachment.assign('b', 'test.careful')
  expect(await attachment.value('b')).toEqual([
    ['BEGIN', 'row 0', 'row 1', 'row 2', 'ROLLBACK'],
    ['BEGIN', 'b', 'COMMIT'],
  ])
  expect(logged).toHaveLength(1)
})
