/** Only while a queue has jobs does what begins show how fast it goes. */
import { expect, test } from 'vitest'
import { Lane } from '../domain/lane.ts'
import type { PacedQueue } from '../ports/pace.ts'
import { claimedJob } from '../testing/attachment.ts'
import { attachmentId } from '../testing/session.ts'
import { createPace } from './pace.ts'

/** Queues of these methods have jobs when they are looked at. */
async function setup() {
  const open = new Set<string>()
  const looks: (readonly PacedQueue[])[] = []
  let during = () => {}
  const pace = createPace({
    scheduler: 'one',
    everyMs: 3_600_000,
    onError: (error) => {
      throw error
    },
    store: {
      async record(_, queues) {
        looks.push(queues)
        during()
        return new Set(queues.flatMap(({ method }, index) => (open.has(method) ? [index] : [])))
      },
    },
  })
  await pace.loop.start()
  const note = (method: string, count: number, lane: 1 | 2 = Lane.inline) =>
    pace.note(
      'default',
      lane,
      [{ method, lane: Lane.ofMethod, pool: '' }],
      Array.from({ length: count }, (_, n) => ({
        ...claimedJob(`job-${n}`, attachmentId()),
        method,
      })),
    )
  const look = async () => {
    const before = looks.length
    pace.loop.wake()
    await expect.poll(() => looks.length, { interval: 1 }).toBe(before + 1)
    await new Promise(setImmediate)
    return looks.at(-1) ?? []
  }
  const rest = {
    ...{ open, looks, note, look, wake: pace.loop.wake },
    onLook: (then: () => void) => {
      during = then
    },
  }
  return { ...rest, [Symbol.asyncDispose]: pace.loop.stop }
}

test('a time counts from a look that found jobs to the next one that does', async () => {
  await using it = await setup()
  it.open.add('a')
  it.note('a', 5)
  expect(await it.look()).toMatchObject([{ method: 'a', starts: 5, periodMs: undefined }])
  it.note('a', 3)
  const [second] = await it.look()
  expect(second).toMatchObject({ starts: 3, isOwnLane: true })
  expect(second?.periodMs).toBeGreaterThan(0)
  // Nothing began, and jobs wait: that counts too.
  expect(await it.look()).toMatchObject([{ starts: 0 }])
})

test('what was empty in between counts anew, and what stays empty is looked at no more', async () => {
  await using it = await setup()
  it.open.add('a')
  it.note('a', 1)
  await it.look()
  it.open.delete('a')
  it.note('a', 2)
  await it.look()
  it.wake()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(it.looks).toHaveLength(2)
  it.open.add('a')
  it.note('a', 4)
  expect(await it.look()).toMatchObject([{ starts: 4, periodMs: undefined }])
})

test('what begins while it is looked is of the next time', async () => {
  await using it = await setup()
  it.open.add('a')
  it.note('a', 1)
  it.onLook(() => it.note('a', 7))
  await it.look()
  it.onLook(() => {})
  expect(await it.look()).toMatchObject([{ starts: 7 }])
})

test('lanes are looked at for themselves', async () => {
  await using it = await setup()
  it.note('a', 1)
  it.note('a', 2, Lane.task)
  expect((await it.look()).map(({ lane, starts }) => [lane, starts])).toEqual([
    [1, 1],
    [2, 2],
  ])
})
