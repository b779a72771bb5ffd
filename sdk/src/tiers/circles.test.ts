/** Circles that several callers close together, beside a client that is scripted; over real services: test/refreshed-values.test.ts. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { until } from '@offstage/testkit'
import { afterEach, expect, test } from 'vitest'
import type { Offstage } from '../client/offstage.ts'
import type { RunOptions } from '../client/options.ts'
import type { JobContext } from '../jobs/mod.ts'
import {
  createValuesStore,
  ReusableCycleError,
  reusable,
  runWithValuesIdentity,
} from '../values/mod.ts'
import { exposeReusable, remoteReusable, type TierOptions } from './mod.ts'
import type { ReusableMethod, TierAnswer, TierAsk } from './tier-job.ts'

const functions: Disposable[] = []
afterEach(() => {
  for (const each of functions.splice(0)) each[Symbol.dispose]()
})
function disposed<T extends Disposable>(fn: T): T {
  functions.push(fn)
  return fn
}

type Told = Parameters<NonNullable<RunOptions['onProgress']>>[0]
interface Job {
  readonly answer: Promise<TierAnswer<unknown>>
  readonly listeners: Set<(progress: Told) => void>
  last: Told | undefined
}

/** Executors in this process: of equal calls that name a key one is a job, and whoever waits hears of its progress. */
function executors(options: TierOptions) {
  const jobsApart = AsyncLocalStorage.snapshot()
  const exposed = new Map<string, { run(job: JobContext, ask: TierAsk): unknown }>()
  const running = new Map<string, Job>()
  const said: Told[] = []
  let jobs = 0
  const begin = (method: string, ask: TierAsk): Job => {
    const { promise, resolve } = Promise.withResolvers<TierAnswer<unknown>>()
    const job: Job = { answer: promise, listeners: new Set(), last: undefined }
    const id = `job-${++jobs}`
    const progress: JobContext['progress'] = (percent, text = '', extra = {}) => {
      const told = { percent, text, extra: structuredClone(extra), revision: said.length + 1 }
      said.push(told)
      job.last = told
      for (const listener of job.listeners) listener(told)
    }
    const context = { id, owner: 'ann', progress } as JobContext
    resolve(jobsApart(() => exposed.get(method)?.run(context, ask)) as typeof promise)
    return job
  }
  const client = {
    refreshPort: { knownEpoch: 7 },
    connectValues: () => {},
    caller: async () => 'ann',
    async run({ method }: { readonly method: string }, ask: TierAsk, own: RunOptions) {
      const key = own.key === undefined ? undefined : `${method} ${JSON.stringify(own.key)}`
      const job = (key && running.get(key)) || begin(method, ask)
      if (key !== undefined) running.set(key, job)
      const listener = own.onProgress ?? (() => {})
      job.listeners.add(listener)
      if (job.last !== undefined) listener(job.last)
      return job.answer
    },
  } as unknown as Offstage
  return {
    said,
    expose(name: string, fn: (n: number) => Promise<unknown>) {
      const there = disposed(reusable(fn, { name, store: createValuesStore() }))
      exposed.set(`reusable.${name}`, exposeReusable(there))
    },
    remote: (name: string) =>
      disposed(
        remoteReusable<ReusableMethod<[number], number>>(client, `reusable.${name}`, {
          ...options,
          store: createValuesStore(),
        }),
      ),
  }
}
const asAnn = <T>(call: () => T) => runWithValuesIdentity({ user: 'ann' }, call)
const call = (name: string) => `reusable.${name}(["number","2026"])`

test.each([
  ['by a key', { singleFlight: true }],
  ['in the thread', {}],
])(
  'a circle that is entered from both ends at once is refused, joined %s',
  async (_how, options) => {
    const { expose, remote } = executors(options)
    const [gross, net] = [remote('gross'), remote('net')]
    expose('net', async (year) => (await gross(year)) * 0.8)
    expose('gross', async (year) => (await net(year)) / 0.8)
    const both = await asAnn(() => Promise.allSettled([remote('net')(2026), remote('gross')(2026)]))
    for (const one of both) {
      expect(one).toMatchObject({ status: 'rejected', reason: expect.any(ReusableCycleError) })
      const { cycle } = (one as PromiseRejectedResult).reason
      expect(cycle.toSorted()).toEqual([cycle[0], call('gross'), call('net')].toSorted())
      expect(cycle).toHaveLength(3)
    }
  },
)

test('a circle of three that is entered at each is refused, by way of what their threads compute for all', async () => {
  const { expose, remote } = executors({ singleFlight: true })
  const names = ['a', 'b', 'c'] as const
  for (const [at, name] of names.entries()) {
    const next = remote(names[(at + 1) % 3] ?? '')
    const local = disposed(
      reusable((n: number) => next(n), { name: `${name}-local`, store: createValuesStore() }),
    )
    expose(name, local)
  }
  const all = await asAnn(() => Promise.allSettled(names.map((name) => remote(name)(2026))))
  for (const one of all) {
    expect(one).toMatchObject({ status: 'rejected', reason: expect.any(ReusableCycleError) })
    const { cycle } = (one as PromiseRejectedResult).reason
    expect(cycle[0]).toBe(cycle.at(-1))
    expect(new Set(cycle)).toEqual(new Set(names.map(call)))
  }
})

test('calls that only wait long are answered, and say what for until then', async () => {
  const { expose, remote, said } = executors({ singleFlight: true })
  const net = remote('net')
  const slow = Promise.withResolvers<number>()
  expose('net', () => slow.promise)
  expose('gross', async (year) => (await net(year)) + 1)
  expose('other', async (year) => (await net(year)) + 2)
  const both = asAnn(() => Promise.all([remote('gross')(2026), remote('other')(2026)]))
  await until(() => said.length === 2, { what: 'both to say what they wait for' })
  expect(said.map(({ text }) => text)).toEqual(Array(2).fill(`waits for ${call('net')}`))
  slow.resolve(1)
  expect(await both).toEqual([2, 3])
})
