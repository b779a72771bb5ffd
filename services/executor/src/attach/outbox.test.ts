import { AttachRequest } from '@offstage/proto/executor'
import { expect, test } from 'vitest'
import { Outbox } from './outbox.ts'

const ref = attemptOf('a')
const note = { severity: 'info' as const, text: 'x' }

function attemptOf(jobId: string, attempt = 1) {
  return { key: `${jobId}/${attempt}`, jobId, attempt }
}

function create() {
  const outbox = new Outbox(() => {})
  outbox.rewind()
  const take = () => {
    const frame = AttachRequest.create()
    return outbox.fill(frame) ? frame : undefined
  }
  const takeAll = () => {
    const frames: AttachRequest[] = []
    for (let frame = take(); frame !== undefined; frame = take()) frames.push(frame)
    return frames
  }
  return { outbox, take, takeAll }
}

test('everything since the last message goes into one', () => {
  const { outbox, takeAll } = create()
  outbox.progressed(ref, { percent: 10, text: '', revision: 1 })
  outbox.progressed(ref, { percent: 20, text: '', revision: 2 })
  outbox.messaged(ref, { ...note, number: 1 })
  outbox.waited(ref, true)
  outbox.ended(ref, { kind: 'succeeded', result: '1' })
  outbox.handedBack(attemptOf('b', 2))
  const frames = takeAll()
  expect(frames).toHaveLength(1)
  expect(frames[0]).toMatchObject({
    progress: [{ progress: { percent: 20, revision: 2 } }],
    messages: [{ number: 1 }],
    waiting: [{ waiting: true }],
    results: [{ jobId: 'a' }],
    handedBack: [{ jobId: 'b', attempt: 2 }],
  })
})

test('large results are spread over messages of about a megabyte', () => {
  const { outbox, takeAll } = create()
  const result = 'x'.repeat(64 * 1024)
  for (let n = 0; n < 40; n += 1) outbox.ended(attemptOf(`${n}`), { kind: 'succeeded', result })
  const frames = takeAll()
  expect(frames.flatMap(({ results }) => results.map(({ jobId }) => jobId))).toEqual(
    Array.from({ length: 40 }, (_, n) => `${n}`),
  )
  for (const frame of frames) {
    expect(AttachRequest.encode(frame).finish().length).toBeLessThan(1.1 * 1024 * 1024)
  }
})

test('no result goes before the messages of its attempt', () => {
  const { outbox, takeAll } = create()
  const extra = { text: 'x'.repeat(15_000) }
  for (let n = 1; n <= 200; n += 1) outbox.messaged(ref, { ...note, number: n, extra })
  outbox.ended(ref, { kind: 'succeeded' })
  const frames = takeAll()
  expect(frames.length).toBeGreaterThan(2)
  const withResult = frames.findIndex(({ results }) => results.length > 0)
  expect(withResult).toBe(frames.length - 1)
})

test('results go between the messages of an attempt that says more than there is room for', () => {
  const { outbox, take } = create()
  const extra = { text: 'x'.repeat(15_000) }
  const say = (count: number) => {
    for (let n = 1; n <= count; n += 1) outbox.messaged(ref, { ...note, number: n, extra })
  }
  say(500)
  const neighbours = Array.from({ length: 100 }, (_, n) => `neighbour ${n}`)
  for (const jobId of neighbours) outbox.ended(attemptOf(jobId), { kind: 'succeeded' })
  outbox.ended(ref, { kind: 'succeeded' })
  const frame = take()
  expect(frame?.results.map(({ jobId }) => jobId)).toEqual(neighbours)
  expect(frame?.messages.length).toBeGreaterThan(10)
  say(500)
  expect(take()?.results).toEqual([])
})

test('what is acknowledged is not said again on a new stream, the rest is', async () => {
  const { outbox, take, takeAll } = create()
  outbox.ended(ref, { kind: 'succeeded' })
  outbox.ended(attemptOf('b'), { kind: 'succeeded' })
  takeAll()
  outbox.forgotten(ref)
  outbox.pause()
  outbox.ended(attemptOf('c'), { kind: 'succeeded' })
  expect(take()).toBeUndefined()
  outbox.rewind()
  expect(take()?.results.map(({ jobId }) => jobId)).toEqual(['b', 'c'])
  const settled = outbox.settled()
  outbox.forgotten({ jobId: 'b', attempt: 1 })
  outbox.forgotten({ jobId: 'c', attempt: 1 })
  await settled
})

test('the newest thousand messages of an attempt are kept for a new stream', () => {
  const { outbox, takeAll } = create()
  for (let n = 1; n <= 1_200; n += 1) outbox.messaged(ref, { ...note, number: n })
  expect(takeAll().flatMap(({ messages }) => messages)).toHaveLength(1_200)
  outbox.pause()
  outbox.rewind()
  const again = takeAll().flatMap(({ messages }) => messages.map(({ number }) => number))
  expect([again.length, again[0], again.at(-1)]).toEqual([1_000, 201, 1_200])
})

test('the newest data of heartbeats goes out once, and again on a new stream; a bare one does not hide it', () => {
  const { outbox, take } = create()
  outbox.lived(ref, '1')
  outbox.lived(ref, '2')
  outbox.lived(ref, undefined)
  outbox.progressed(ref, { percent: 10, text: '', revision: 1 })
  const said = () =>
    take()?.progress.map(
      (each) => each.heartbeatData?.source?.value.toString() ?? each.progress?.percent,
    )
  expect(said()).toEqual([10, '2'])
  outbox.lived(ref, undefined)
  outbox.pause()
  outbox.rewind()
  expect(said()).toEqual([10, '2'])
  outbox.forgotten(ref)
  outbox.rewind()
  expect(said()).toBeUndefined()
})

test('a sign of life does not hide a progress on its way', () => {
  const { outbox, take } = create()
  outbox.progressed(ref, { percent: 10, text: '', revision: 1 })
  outbox.lived(ref, undefined)
  expect(take()?.progress).toMatchObject([{ progress: { percent: 10 } }])
  outbox.lived(ref, undefined)
  expect(take()?.progress).toEqual([{ jobId: 'a', attempt: 1, progress: undefined }])
})

test('what cannot be encoded is dropped and told of, and holds up nothing beside it', () => {
  const dropped: string[] = []
  const outbox = new Outbox(
    () => {},
    ({ jobId }) => dropped.push(jobId),
  )
  outbox.rewind()
  let deep: unknown = 1
  for (let level = 0; level < 100_000; level += 1) deep = [deep]
  outbox.messaged(ref, { ...note, number: 1, extra: { deep } })
  outbox.messaged(attemptOf('b'), { ...note, number: 1, severity: 'odd' as 'info' })
  outbox.progressed(ref, { percent: 1, text: 7 as unknown as string, revision: 1, extra: { deep } })
  outbox.messaged(ref, { ...note, number: 2 })
  expect(dropped).toEqual(['a', 'b', 'a'])
  for (const said of ['once', 'again']) {
    const frame = AttachRequest.create()
    outbox.fill(frame)
    AttachRequest.encode(frame).finish()
    expect([said, frame.messages.map(({ number }) => number)]).toEqual([said, [2]])
    expect(frame.progress).toEqual([])
    outbox.rewind()
  }
})

test('large progress is spread over messages too, and no result goes before it', () => {
  const { outbox, takeAll } = create()
  const extra = { numbers: Array.from({ length: 4_000 }, () => 1) }
  for (let n = 0; n < 100; n += 1) {
    const own = attemptOf(`${n}`)
    outbox.progressed(own, { percent: 1, text: '', revision: 1, extra })
    outbox.ended(own, { kind: 'succeeded' })
  }
  const frames = takeAll()
  expect(frames.flatMap(({ progress }) => progress)).toHaveLength(100)
  expect(frames.flatMap(({ results }) => results)).toHaveLength(100)
  for (const [index, frame] of frames.entries()) {
    expect(AttachRequest.encode(frame).finish().length).toBeLessThan(1.2 * 1024 * 1024)
    if (index < frames.length - 1) expect(frame.results).toEqual([])
  }
})

test('an attempt that went on between two streams does not look as if it still waited', () => {
  const { outbox, take } = create()
  outbox.waited(ref, true)
  take()
  outbox.pause()
  outbox.waited(ref, false)
  outbox.rewind()
  expect(take()?.waiting).toEqual([{ jobId: 'a', attempt: 1, waiting: false }])
})
