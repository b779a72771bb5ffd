/** What is tracked for leaks, for how long, and what was found (row E4). */
import { credentials } from '@grpc/grpc-js'
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask } from '../testing/ask.ts'
import type { Draft } from '../testing/draft.ts'
import { clientOptions } from '../testing/faults/faults.ts'
import { setup } from '../testing/setup.ts'

const { LEAK_KIND_TIMER: TIMER, LEAK_KIND_HEAP: HEAP } = proto.LeakKind
const seconds = (count: number) => ({ seconds: BigInt(count), nanos: 0 })

const AGE = {
  name: 'age_leaks',
  text: `WITH tracking AS (UPDATE offstage.leak_tracking SET expire_time = expire_time - interval '2 days' WHERE namespace = $1)
    UPDATE offstage.leak_figures SET report_time = report_time - interval '2 days' WHERE namespace = $1`,
}

/** One for all tests, each in a namespace of its own. */
let it: Awaited<ReturnType<typeof setup>>
let raw: proto.NamespaceServiceClient
beforeAll(async () => {
  it = await setup()
  const { address } = it.scheduler
  raw = new proto.NamespaceServiceClient(address, credentials.createInsecure(), clientOptions())
})
afterAll(async () => {
  raw.close()
  await it[Symbol.asyncDispose]()
})

let spaces = 0
function inNamespace() {
  const namespace = `space-${++spaces}`
  return {
    namespace,
    track: (names: string[], more: Draft<proto.TrackLeaksRequest> = {}) =>
      ask(raw, raw.trackLeaks, proto.TrackLeaksRequest, { namespace, names, ...more }),
    stop: (names: string[] = []) =>
      ask(raw, raw.stopTrackingLeaks, proto.StopTrackingLeaksRequest, { namespace, names }),
    list: (): Promise<proto.ListLeaksResponse> =>
      ask(raw, raw.listLeaks, proto.ListLeaksRequest, { namespace }),
    /** The names to be tracked. */
    async report(reporter: string, figures: Draft<proto.LeakFigures>[] = []) {
      const request = { namespace, reporter, figures }
      const type = proto.ReportLeaksRequest
      const answer: proto.ReportLeaksResponse = await ask(raw, raw.reportLeaks, type, request)
      return answer.tracking.map(({ name }) => name)
    },
  }
}

const timers = (openedAt: string, left: number) => ({
  ...{ kind: TIMER, openedAt, runCount: BigInt(left), leftCount: BigInt(left), openCount: 1n },
})
const heap = (bytes: number) => ({ kind: HEAP, bytesPerRun: BigInt(bytes) })

test('whoever reports is told what is tracked, for as long as it is', async () => {
  const space = inNamespace()
  expect(await space.report('one')).toEqual([])
  await space.track(['test.job', 'checkout'])
  expect(await space.report('one')).toEqual(['checkout', 'test.job'])
  const { tracking } = await space.list()
  const left = tracking.map(({ timeLeft }) => Number(timeLeft?.seconds ?? 0))
  expect(left.every((each) => each > 500 && each <= 600)).toBe(true)
  await space.stop(['checkout'])
  await until(async () => (await space.report('one')).join() === 'test.job')
  await space.track(['test.job'], { duration: seconds(1) })
  await until(async () => (await space.report('one')).length === 0)
  expect((await space.list()).tracking).toEqual([])
  await space.track(['checkout'])
  await space.stop()
  expect((await space.list()).tracking).toEqual([])
})

test('what several have found is told together, and the newest word of each counts', async () => {
  const space = inNamespace()
  await space.track(['test.job', 'test.tidy'])
  const report = (reporter: string, leaks: Draft<proto.Leak>[], runCount: bigint) =>
    space.report(reporter, [{ name: 'test.job', runCount, leaks }])
  await report('one', [timers('at a', 1)], 1n)
  await report('one', [timers('at a', 2), heap(2_000)], 4n)
  await report('two', [timers('at b', 9), timers('at a', 3), heap(1_000)], 5n)
  await space.report('two', [{ name: 'test.tidy', runCount: 7n }, { name: 'test.unknown' }])
  const { figures } = await space.list()
  expect(figures.map(({ name, runCount }) => [name, runCount])).toEqual([
    ['test.job', 9n],
    ['test.tidy', 7n],
  ])
  const leaks = figures[0]?.leaks.map(({ kind, openedAt, leftCount, openCount, bytesPerRun }) => {
    return [kind, openedAt, leftCount, openCount, bytesPerRun]
  })
  expect(leaks).toEqual([
    [TIMER, 'at b', 9n, 1n, 0n],
    [TIMER, 'at a', 5n, 2n, 0n],
    [HEAP, '', 0n, 0n, 2_000n],
  ])
})

test('what was found stays when it is tracked longer, and goes when it is tracked anew, or after a day', async () => {
  const space = inNamespace()
  const namesFound = async () => (await space.list()).figures.map(({ name }) => name)
  await space.track(['test.job'])
  await space.report('one', [{ name: 'test.job', runCount: 1n }])
  await space.track(['test.job'], { duration: seconds(60) })
  expect(await namesFound()).toEqual(['test.job'])
  await space.stop()
  expect(await namesFound()).toEqual(['test.job'])
  await space.track(['test.job'])
  expect(await namesFound()).toEqual([])
  await space.report('one', [{ name: 'test.job', runCount: 1n }])
  await it.database.query(AGE, [space.namespace])
  expect(await namesFound()).toEqual([])
})

test('what was found before a name was tracked anew is not taken for what is found now', async () => {
  const space = inNamespace()
  const idOf = async () => (await space.list()).tracking[0]?.trackingId ?? ''
  await space.track(['test.job'])
  const before = await idOf()
  await space.track(['test.job'], { duration: seconds(60) })
  expect(await idOf()).toBe(before)
  await space.stop()
  await space.track(['test.job'])
  const now = await idOf()
  expect([before, now]).toEqual([
    expect.stringMatching(/^[0-9a-f-]{36}$/),
    expect.not.stringMatching(before),
  ])
  const runs = async () => (await space.list()).figures.map(({ runCount }) => runCount)
  const report = (runCount: bigint, trackingId?: string) =>
    space.report('one', [{ name: 'test.job', runCount, trackingId }])
  await report(7n, before)
  expect(await runs()).toEqual([])
  await report(1n, now)
  await report(8n, before)
  expect(await runs()).toEqual([1n])
  // Of an executor that is older than this.
  await report(2n)
  expect(await runs()).toEqual([2n])
})

test('sums of what anybody may tell stay numbers that can be told', async () => {
  const space = inNamespace()
  await space.track(['test.job'])
  const max = BigInt(Number.MAX_SAFE_INTEGER)
  const leak = { kind: TIMER, openedAt: 'at a', runCount: max, leftCount: max, openCount: max }
  for (const reporter of ['one', 'two', 'three']) {
    await space.report(reporter, [{ name: 'test.job', runCount: max, leaks: [leak] }])
  }
  const { figures } = await space.list()
  expect(figures).toMatchObject([{ runCount: max, leaks: [leak] }])
})

test('of a namespace a hundred names are tracked at once', async () => {
  const space = inNamespace()
  const names = Array.from({ length: 100 }, (_, n) => `test.job-${n}`)
  await space.track(names)
  await space.track(names.slice(0, 2))
  await expect(space.track(['test.other'])).rejects.toThrow('leaks of at most 100 names')
  await space.stop(names.slice(0, 1))
  await space.track(['test.other'])
  expect((await space.list()).tracking).toHaveLength(100)
})

test('what is wrong is refused with its field', async () => {
  const space = inNamespace()
  const long = 'x'.repeat(201)
  const figures = (more: Draft<proto.LeakFigures>) => [{ name: 'a', ...more }]
  const wrong: [string, () => Promise<unknown>][] = [
    ['names must not be empty', () => space.track([])],
    ['names[1] must not be empty', () => space.track(['a', ''])],
    ['names[0] must be at most 200', () => space.stop([long])],
    ['names must be at most 100', () => space.track(Array.from({ length: 101 }, () => 'a'))],
    ['duration must be 1 s to 24 h', () => space.track(['a'], { duration: seconds(0) })],
    ['duration must be 1 s to 24 h', () => space.track(['a'], { duration: seconds(86_401) })],
    ['reporter must not be empty', () => space.report('')],
    ['figures[0].name must not be empty', () => space.report('one', [{}])],
    ['figures[1].name is a', () => space.report('one', [{ name: 'a' }, { name: 'a' }])],
    ['figures[0].run_count must be', () => space.report('one', figures({ runCount: -1n }))],
    ['figures[0].leaks[0].kind is 0', () => space.report('one', figures({ leaks: [{}] }))],
    [
      'figures[0].leaks[0].opened_at must be at most 2000',
      () => space.report('one', figures({ leaks: [timers('x'.repeat(2_001), 1)] })),
    ],
    [
      'figures[0].tracking_id must be at most 100',
      () => space.report('one', figures({ trackingId: 'x'.repeat(101) })),
    ],
    [
      'figures[0].leaks must be at most 20',
      () => space.report('one', figures({ leaks: Array.from({ length: 21 }, () => heap(1)) })),
    ],
  ]
  for (const [problem, call] of wrong) await expect(call(), problem).rejects.toThrow(problem)
})
