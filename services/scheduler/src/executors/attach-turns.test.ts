import { expect, test } from 'vitest'
import { session as sessionOf } from '../testing/session.ts'
import { AttachTurns } from './attach-turns.ts'

/** Takes turns whose work lasts until it is told to end, and notes who began. */
function setup(max: number) {
  const turns = new AttachTurns(max)
  const begun: string[] = []
  const take = (session: string, name: string) => {
    const stream = new AbortController()
    const work = Promise.withResolvers<void>()
    const done = turns.take(sessionOf(session).sessionKey, stream.signal, async () => {
      begun.push(name)
      await work.promise
    })
    done.catch(() => {})
    return { done, end: work.resolve, break: () => stream.abort(new Error('broken')) }
  }
  return { begun, take, settled: () => new Promise(setImmediate) }
}

test('the streams of a session attach one at a time, and of those that wait only the newest does', async () => {
  const { begun, take, settled } = setup(10)
  const first = take('a', 'first')
  const given = [take('a', 'second'), take('a', 'third')]
  const last = take('a', 'last')
  take('b', 'other')
  await settled()
  expect(begun).toEqual(['first', 'other'])
  for (const { done } of given) await expect(done).rejects.toThrow('attach again')
  first.end()
  await settled()
  expect(begun).toEqual(['first', 'other', 'last'])
  last.end()
  await last.done
})

test('only so many attach at once, in the order in which they came', async () => {
  const { begun, take, settled } = setup(2)
  const [a] = ['a', 'b', 'c', 'd'].map((session) => take(session, session))
  await settled()
  expect(begun).toEqual(['a', 'b'])
  a?.end()
  await settled()
  expect(begun).toEqual(['a', 'b', 'c'])
})

test('a stream that breaks while it waits takes no turn', async () => {
  const { begun, take, settled } = setup(1)
  const first = take('a', 'first')
  const waiting = take('a', 'waiting')
  const other = take('b', 'other')
  waiting.break()
  await expect(waiting.done).rejects.toThrow('broken')
  first.end()
  await settled()
  expect(begun).toEqual(['first', 'other'])
  other.end()
  await other.done
})

test('work that fails gives its turn on', async () => {
  const turns = new AttachTurns(1)
  const { signal } = new AbortController()
  const fail = turns.take(sessionOf('a').sessionKey, signal, () => Promise.reject(new Error('no')))
  await expect(fail).rejects.toThrow('no')
  expect(await turns.take(sessionOf('a').sessionKey, signal, async () => 7)).toBe(7)
})
