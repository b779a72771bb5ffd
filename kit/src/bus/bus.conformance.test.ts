import { startNats, type TestNats } from '@offstage/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Bus, BusMessage } from './bus.ts'
import { createInProcessBus } from './in-process-bus.ts'
import { connectNats } from './nats-bus.ts'

type OpenBus = (onError: (error: unknown) => void) => Promise<Bus>

let nats: TestNats
beforeAll(async () => {
  nats = await startNats()
})
afterAll(() => nats[Symbol.asyncDispose]())

const adapters: readonly (readonly [Bus['kind'], OpenBus])[] = [
  ['in-process', async (onError) => createInProcessBus({ onError })],
  ['nats', (onError) => connectNats({ url: nats.url, onError })],
]

/** Subjects are new for each test, because the server is shared. */
let tests = 0

async function setup(open: OpenBus) {
  const errors: unknown[] = []
  const bus = await open((error) => errors.push(error))
  const root = `conformance.${++tests}`
  const collect = (pattern: string) => {
    const messages: BusMessage[] = []
    const subscription = bus.subscribe(`${root}.${pattern}`, (message) => messages.push(message))
    return {
      ...subscription,
      texts: () => messages.map(({ payload }) => new TextDecoder().decode(payload)),
      messages,
    }
  }
  const publish = (subject: string, text: string, headers?: Record<string, string>) =>
    bus.publish(`${root}.${subject}`, text, headers)
  return {
    bus,
    errors,
    root,
    collect,
    publish,
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  }
}

describe.each(adapters)('the %s bus', (kind, open) => {
  test('is connected and says what it is', async () => {
    await using it = await setup(open)
    expect(it.bus).toMatchObject({ kind, status: 'connected' })
  })

  test('delivers subject, bytes and headers', async () => {
    await using it = await setup(open)
    const got = it.collect('job')
    const payload = Uint8Array.from([0, 1, 254, 255])
    it.bus.publish(`${it.root}.job`, payload, { traceparent: '00-abc', 'X-Case': ' kept ' })
    payload.fill(7)
    await expect.poll(() => got.messages.length).toBe(1)
    const message = got.messages[0]
    expect(message?.subject).toBe(`${it.root}.job`)
    expect([...(message?.payload ?? [])]).toEqual([0, 1, 254, 255])
    expect(message?.headers).toEqual({ traceparent: '00-abc', 'X-Case': 'kept' })
  })

  test('each message has its own headers, whatever the one before it had', async () => {
    await using it = await setup(open)
    const got = it.collect('job')
    const changing: Record<string, string> = { traceparent: 'first' }
    it.publish('job', '', changing)
    it.publish('job', '', { traceparent: 'first' })
    changing.traceparent = 'zweitens: ü'
    it.publish('job', '', changing)
    it.publish('job', '', { ...changing, more: '1' })
    it.publish('job', '', {})
    it.publish('job', '', { more: '1' })
    await expect.poll(() => got.messages.length).toBe(6)
    expect(got.messages.map(({ headers }) => headers)).toEqual([
      { traceparent: 'first' },
      { traceparent: 'first' },
      { traceparent: 'zweitens: ü' },
      { traceparent: 'zweitens: ü', more: '1' },
      {},
      { more: '1' },
    ])
    expect(it.errors).toEqual([])
  })

  test('delivers an empty payload without headers', async () => {
    await using it = await setup(open)
    const got = it.collect('job')
    it.publish('job', '')
    await expect.poll(() => got.messages.length).toBe(1)
    expect(got.messages[0]?.payload.byteLength).toBe(0)
    expect(got.messages[0]?.headers).toEqual({})
  })

  test('never delivers from within publish', async () => {
    await using it = await setup(open)
    const got = it.collect('job')
    it.publish('job', 'x')
    expect(got.texts()).toEqual([])
    await Promise.resolve()
    expect(got.texts()).toEqual([])
    await expect.poll(got.texts).toEqual(['x'])
  })

  test('gives * one token and > one or more', async () => {
    await using it = await setup(open)
    const [one, rest, exact, all] = ['jobs.*.done', 'jobs.>', 'jobs.7.done', '>'].map(it.collect)
    for (const subject of ['jobs.7.done', 'jobs.8.done', 'jobs.7', 'jobs', 'jobs.7.done.late']) {
      it.publish(subject, subject)
    }
    await expect.poll(() => all?.texts().length).toBe(5)
    expect(one?.texts()).toEqual(['jobs.7.done', 'jobs.8.done'])
    expect(rest?.texts()).toEqual(['jobs.7.done', 'jobs.8.done', 'jobs.7', 'jobs.7.done.late'])
    expect(exact?.texts()).toEqual(['jobs.7.done'])
  })

  test('keeps the order of a publisher across subjects', async () => {
    await using it = await setup(open)
    const got = it.collect('>')
    const sent = Array.from({ length: 5_000 }, (_, n) => String(n))
    for (const text of sent) it.publish(`s${Number(text) % 3}`, text)
    await expect.poll(() => got.texts().length, { timeout: 10_000 }).toBe(5_000)
    expect(got.texts()).toEqual(sent)
    expect(it.bus.stats()).toEqual({ published: 5_000, dropped: 0, received: 5_000 })
  })

  test('delivers to every subscription of a subject, also of one handler', async () => {
    await using it = await setup(open)
    const texts: string[] = []
    const handler = ({ payload }: BusMessage) => texts.push(new TextDecoder().decode(payload))
    const first = it.bus.subscribe(`${it.root}.job`, handler)
    it.bus.subscribe(`${it.root}.job`, handler)
    it.publish('job', 'twice')
    await expect.poll(() => texts).toEqual(['twice', 'twice'])
    first.unsubscribe()
    it.publish('job', 'once')
    await expect.poll(() => texts).toEqual(['twice', 'twice', 'once'])
  })

  test('reports a handler that throws and serves the others, and the next message', async () => {
    await using it = await setup(open)
    it.bus.subscribe(`${it.root}.job`, () => {
      throw new Error('handler broken')
    })
    const got = it.collect('job')
    it.publish('job', 'a')
    it.publish('job', 'b')
    await expect.poll(got.texts).toEqual(['a', 'b'])
    expect(it.errors.map(String)).toEqual(['Error: handler broken', 'Error: handler broken'])
  })

  test('delivers nothing after unsubscribe, not even what is under way', async () => {
    await using it = await setup(open)
    const gone = it.collect('job')
    const got = it.collect('job')
    it.publish('job', 'late')
    gone.unsubscribe()
    gone.unsubscribe()
    await expect.poll(got.texts).toEqual(['late'])
    expect(gone.texts()).toEqual([])
  })

  test('lets a handler unsubscribe itself and subscribe anew', async () => {
    await using it = await setup(open)
    const second: string[] = []
    const first = it.bus.subscribe(`${it.root}.job`, () => {
      first.unsubscribe()
      it.bus.subscribe(`${it.root}.job`, () => second.push('second'))
      it.publish('job', 'b')
    })
    it.publish('job', 'a')
    await expect.poll(() => second).toEqual(['second'])
  })

  test('flush follows the delivery of what was published before', async () => {
    await using it = await setup(open)
    const got = it.collect('job')
    it.publish('job', 'x')
    await it.bus.flush()
    expect(got.texts()).toEqual(['x'])
  })

  test('refuses what could never be sent', async () => {
    await using it = await setup(open)
    for (const subject of ['', 'a..b', 'a b', 'a.*', 'a.>', 'a\r\nPUB']) {
      expect(() => it.bus.publish(subject, 'x'), subject).toThrow(TypeError)
    }
    expect(() => it.publish('a', 'x', { 'bad:name': 'v' })).toThrow(TypeError)
    expect(() => it.publish('a', 'x', { name: 'two\r\nlines' })).toThrow(TypeError)
    expect(() => it.publish('a', 'x'.repeat(1024 * 1024 + 1))).toThrow(TypeError)
    expect(() => it.bus.subscribe('a.>.b', () => {})).toThrow(TypeError)
    expect(it.bus.stats().published).toBe(0)
  })

  test('once disposed of is closed, delivers nothing and drops what is published', async () => {
    const it = await setup(open)
    const got = it.collect('job')
    const changes: string[] = []
    it.bus.onStatusChange((status) => changes.push(status))
    it.publish('job', 'in time')
    await it.bus[Symbol.asyncDispose]()
    expect(got.texts()).toEqual(['in time'])
    expect(changes).toEqual(['closed'])
    it.publish('job', 'too late')
    await it.bus.flush()
    await it.bus[Symbol.asyncDispose]()
    expect(got.texts()).toEqual(['in time'])
    expect(it.bus.stats()).toEqual({ published: 1, dropped: 1, received: 1 })
  })
})
