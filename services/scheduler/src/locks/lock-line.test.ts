import { afterEach, expect, test, vi } from 'vitest'
import { type LineWait, LockLine } from './lock-line.ts'

afterEach(() => vi.useRealTimers())

const holder = { kind: 'lease', leaseId: 'l' } as const
const conflict = { isWaiting: false, name: 'a', owner: 'ann', holder, since: new Date() }
const request = {
  namespace: 'n',
  names: ['a'],
  exclusive: true,
  owner: 'bob',
  holder,
  requestId: '',
}

test('of more waits than are looked at for a circle at once all have their turn', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const places = [1, 2, 3, 4, 5]
  const lookedAt: number[] = []
  const store = {
    keepPlaces: async () => {},
    readWaits: async () => places.map((place) => ({ place, isReady: false })),
    readAwaited: async () => places,
    async breakCircle(_: unknown, place: number) {
      lookedAt.push(place)
      return undefined
    },
  }
  const line = new LockLine({ store, feed: { listen: () => () => {} }, circlesMax: 2 })
  const wait: Omit<LineWait, 'place'> = { request, conflict, moment: line.moment }
  const gone = new AbortController()
  const waits = places.map((place) => line.wait({ ...wait, place }, 60_000, gone.signal))
  for (let sweep = 0; sweep < 3; sweep++) {
    await line.run()
    vi.advanceTimersByTime(2_000)
  }
  expect(lookedAt).toEqual([1, 2, 3, 4, 5, 1])
  gone.abort()
  await Promise.allSettled(waits)
})

test('nobody takes all the places there are for calls that wait for locks', () => {
  const none = () => {
    throw new Error('is not asked')
  }
  const store = { keepPlaces: none, readWaits: none, readAwaited: none, breakCircle: none }
  const line = new LockLine({ store, feed: { listen: none }, waitsMax: 3, userWaitsMax: 2 })
  const first = line.makeRoom('mallory')
  line.makeRoom('mallory')
  expect(() => line.makeRoom('mallory')).toThrow('more than 2 of your calls wait for locks')
  line.makeRoom('ann')
  expect(() => line.makeRoom('ann')).toThrow('more than 3 callers wait for locks')
  first[Symbol.dispose]()
  line.makeRoom('mallory')
})
