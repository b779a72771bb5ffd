import { expect, test } from 'vitest'
import { composeServices } from './compose-services.ts'
import { createService } from './service.ts'

function named(events: string[], name: string, fails?: { start?: Error; stop?: Error }) {
  return createService({
    name,
    start: async () => {
      events.push(`start ${name}`)
      if (fails?.start) throw fails.start
    },
    stop: async () => {
      events.push(`stop ${name}`)
      if (fails?.stop) throw fails.stop
    },
  })
}

test('services start in order and stop in reverse', async () => {
  const events: string[] = []
  const all = composeServices('all', [named(events, 'a'), named(events, 'b')])
  await all.start()
  await all.stop()
  expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a'])
})

test('a failed start stops what had started and rejects with the same error', async () => {
  const events: string[] = []
  const broken = new Error('no database')
  const all = composeServices('all', [
    named(events, 'a'),
    named(events, 'b', { start: broken }),
    named(events, 'c'),
  ])
  await expect(all.start()).rejects.toBe(broken)
  expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a'])
})

test('a stop during the start aborts the part that is starting', async () => {
  const events: string[] = []
  const waiting = Promise.withResolvers<void>()
  const slow = createService({
    name: 'slow',
    start: (signal) => {
      waiting.resolve()
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    },
    stop: async () => void events.push('stop slow'),
  })
  const all = composeServices('all', [named(events, 'a'), slow, named(events, 'c')])
  const refused = expect(all.start()).rejects.toThrow('all was stopped')
  await waiting.promise
  await all.stop()
  await refused
  expect(events).toEqual(['start a', 'stop slow', 'stop a'])
})

test('a part that fails to stop keeps no other from stopping', async () => {
  const events: string[] = []
  const stuck = new Error('stuck')
  const all = composeServices('all', [named(events, 'a'), named(events, 'b', { stop: stuck })])
  await all.start()
  await expect(all.stop()).rejects.toBe(stuck)
  expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a'])
})

test('several parts that fail to stop are told together', async () => {
  const parts = ['a', 'b'].map((name) => named([], name, { stop: new Error(`${name} stuck`) }))
  const all = composeServices('all', parts)
  await all.start()
  const error: AggregateError = await all.stop().then(
    () => expect.unreachable(),
    (reason) => reason,
  )
  expect(error.errors.map((each) => each.message)).toEqual(['b stuck', 'a stuck'])
})
