import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { serialize } from 'node:v8'
import { until } from '@offstage/testkit'
import { afterEach, expect, test, vi } from 'vitest'
import { ProcessPipe } from './process-pipe.ts'

afterEach(() => void vi.useRealTimers())

/** The executor's end, and what a process has of the other one. */
function setUp() {
  const [ours, theirs] = duplexPair()
  const heard: unknown[] = []
  const unreadable: string[] = []
  const pipe = new ProcessPipe(ours, {
    onMessage: (message) => void heard.push(message),
    onUnreadable: (what) => void unreadable.push(what),
  })
  return { pipe, ours, theirs, heard, unreadable }
}

function framed(message: unknown): Buffer {
  const body = serialize(message)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

test('messages arrive as they were, however they are cut on the way', async () => {
  const { pipe, theirs, heard } = setUp()
  const said = [{ kind: 'a', bytes: Buffer.from([1, 2]) }, 'x'.repeat(300_000), undefined, [1, 2n]]
  const all = Buffer.concat(said.map(framed))
  for (const byte of all.subarray(0, 40)) theirs.write(Buffer.from([byte]))
  for (let at = 40; at < all.length; at += 7_001) theirs.write(all.subarray(at, at + 7_001))
  await until(() => heard.length === said.length)
  expect(heard).toEqual(said)
  const answers: unknown[] = []
  const other = new ProcessPipe(theirs, { onMessage: (message) => void answers.push(message) })
  pipe.send({ kind: 'orders' })
  other.send('and back')
  await until(() => answers.length === 1 && heard.length === said.length + 1)
  expect([answers[0], heard.at(-1)]).toEqual([{ kind: 'orders' }, 'and back'])
})

test.each([
  ['what is no message', Buffer.from([0, 0, 0, 3, 1, 2, 3])],
  ['a message of 2147483647 bytes', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
])('%s ends the hearing at once, whatever follows', async (what, bytes) => {
  const { ours, theirs, heard, unreadable } = setUp()
  theirs.write(Buffer.concat([framed('before'), bytes, framed('after')]))
  await once(ours, 'close')
  expect(unreadable).toEqual([what])
  expect(heard).toEqual(['before'])
})

test('of a flood so much is heard in a second, the rest stays where it is, and nothing is lost', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] })
  const { theirs, heard } = setUp()
  const some = Buffer.concat(Array.from({ length: 100 }, () => framed('flood')))
  let taken = 0
  const flood = async () => {
    for (let part = 0; part < 200; part += 1) {
      await new Promise((written) => theirs.write(some, written))
      taken += 1
    }
  }
  const flooding = flood()
  const settle = async () => {
    for (let turns = 0; turns < 1_000; turns += 1) await setImmediate()
  }
  await settle()
  expect(heard).toHaveLength(5_000)
  // Little more was taken from the one who says it.
  expect(taken).toBeLessThan(120)
  vi.advanceTimersByTime(1_000)
  await settle()
  expect(heard).toHaveLength(10_000)
  while (heard.length < 20_000) {
    vi.advanceTimersByTime(500)
    await setImmediate()
  }
  await flooding
  expect(heard).toHaveLength(20_000)
})

test('one who is closed hears nothing more', async () => {
  const { pipe, ours, theirs, heard } = setUp()
  theirs.write(Buffer.concat([framed('before'), framed('with it').subarray(0, 5)]))
  await until(() => heard.length === 1)
  pipe.close()
  expect(ours.destroyed).toBe(true)
  theirs.write(framed('with it').subarray(5))
  await setImmediate()
  expect(heard).toEqual(['before'])
})
