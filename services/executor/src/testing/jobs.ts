/** Jobs that tests run: well-behaved ones and bad ones. */

import { setTimeout as pause } from 'node:timers/promises'
import { parentPort, resourceLimits, threadId, workerData } from 'node:worker_threads'
import type { Offstage } from '@offstage/sdk/client'
import { defineJob, NonRetryableError, stopCodeOf } from '@offstage/sdk/jobs'
import { z } from 'zod'

export * from './hostile-jobs.ts'
export * from './run-jobs.ts'
export * from './stream-jobs.ts'
export * from './value-jobs.ts'

export const echo = defineJob({ method: 'test.echo', run: (_job, params: unknown) => params })

export const nothing = defineJob({ method: 'test.nothing', run: () => {} })

export const greet = defineJob({
  method: 'test.greet',
  description: 'Greets somebody.',
  params: z.object({ name: z.string(), times: z.number().int().positive().default(1) }),
  result: z.string(),
  lane: 'task',
  retry: { maxAttempts: 3 },
  labels: { name: 'params.name' },
  deadlines: { attemptMs: 60_000 },
  run: (_job, { name, times }) => `Hello ${name}! `.repeat(times).trim(),
})

export const surroundings = defineJob({
  method: 'test.surroundings',
  run: () => ({ heapMb: resourceLimits.maxOldGenerationSizeMb, token: process.env.OFFSTAGE_TOKEN }),
})

/** Leaves behind a clock that stands still, as tools for tests put in the place of the timers. */
export const timeless = defineJob({
  method: 'test.timeless',
  async run(job) {
    const standStill = (() => ({ unref() {} })) as never
    Object.assign(globalThis, {
      setImmediate: standStill,
      setTimeout: standStill,
      clearTimeout: standStill,
    })
    job.progress(1)
    job.progress(2)
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve))
  },
})

export const whereabouts = defineJob({ method: 'test.whereabouts', run: () => threadId })

export const about = defineJob({
  method: 'test.about',
  run: ({ id, method, attempt, owner, namespace, key, labels, scope, traceId }) => ({
    id,
    method,
    attempt,
    owner,
    namespace,
    key,
    labels,
    scope,
    traceId,
  }),
})

class OutOfPaperError extends Error {
  override readonly name = 'OutOfPaperError'
}

export const fail = defineJob({
  method: 'test.fail',
  run() {
    throw new OutOfPaperError('no paper', { cause: new Error('tray 2 is empty') })
  },
})

export const failForGood = defineJob({
  method: 'test.fail-for-good',
  run() {
    throw new NonRetryableError('never again')
  },
})

/** Ends when its signal aborts, by throwing what `fetch` and others would. */
export const obedient = defineJob({
  method: 'test.obedient',
  async run(job) {
    job.message('running')
    await pause(1_000_000, undefined, { signal: job.signal })
  },
})

/** Notices the abort and returns nevertheless. */
export const finisher = defineJob({
  method: 'test.finisher',
  async run(job) {
    job.message('running')
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve))
    return { reason: String(job.signal.reason), code: stopCodeOf(job.signal) }
  },
})

export const stubborn = defineJob({
  method: 'test.stubborn',
  async run(job) {
    job.message('running')
    await new Promise(() => {})
  },
})

/** Says nothing, and tells by what it was stopped. */
export const mute = defineJob({
  method: 'test.mute',
  async run({ signal }) {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    const { name, code } = signal.reason as NodeJS.ErrnoException
    return { name, code }
  },
})

export const spin = defineJob({
  method: 'test.spin',
  run(job) {
    job.message('running')
    for (;;) job.heartbeat()
  },
})

export const quit = defineJob({
  method: 'test.quit',
  run() {
    process.exit(3)
  },
})

export const crash = defineJob({
  method: 'test.crash',
  async run() {
    setImmediate(() => {
      throw new Error('nobody catches this')
    })
    await new Promise(() => {})
  },
})

/** What it says is for those alone who have its wrapper. */
export const sealedCrash = defineJob({
  method: 'test.sealed-crash',
  codec: {
    wrappers: [{ name: 'seal', wrap: (bytes) => ({ bytes }), unwrap: (bytes) => bytes }],
    wrapReports: true,
  },
  run: crash.run,
})

export const counter = defineJob({
  method: 'test.counter',
  async run(job, { to }: { to: number }) {
    for (let n = 1; n <= to; n += 1) job.progress((n / to) * 100, `step ${n}`, { n })
    job.message('done', { severity: 'warning', extra: { to } })
    job.message('really')
    job.setAdditionalResult({ log: 'steps' })
    return to
  },
})

export const parent = defineJob({
  method: 'test.parent',
  lane: 'task',
  async run(job) {
    const children = [await job.startJob('test.child', 1), await job.startJob('test.child', 2)]
    await job.waitAll(children)
    return Promise.all(children.map((child) => child.value()))
  },
})

export const deepMessage = defineJob({
  method: 'test.deep-message',
  run(job) {
    let deep: unknown = 1
    for (let level = 0; level < 3_000; level += 1) deep = [deep]
    job.message('deep', { extra: { deep } })
  },
})

/** Computes without a break, well-meant. */
export const compute = defineJob({
  method: 'test.compute',
  run(job, { forMs }: { forMs: number }) {
    job.message('running')
    const until = performance.now() + forMs
    while (performance.now() < until);
    return threadId
  },
})

/** Its parameters are checked without a break for so long, before its handler is called. */
export const slowToBegin = defineJob({
  method: 'test.slow-to-begin',
  params: z.object({ forMs: z.number() }).refine(({ forMs }) => {
    const until = performance.now() + forMs
    while (performance.now() < until);
    return true
  }),
  run: () => threadId,
})

/** Leaves something behind that keeps its thread busy for good. */
export const haunt = defineJob({
  method: 'test.haunt',
  run() {
    const busy = () => {
      for (;;);
    }
    // One turn later than the report of this handler's end.
    setImmediate(() => setImmediate(busy))
    return threadId
  },
})

/** Bytes that are somebody else's by now. */
export const detached = defineJob({
  method: 'test.detached',
  run() {
    const bytes = new Uint8Array(8)
    structuredClone(bytes, { transfer: [bytes.buffer] })
    return bytes
  },
})

/** Every port a handler can lay hands on. */
function portsInReach(): { postMessage(value: unknown): void; removeAllListeners(): void }[] {
  const handles: unknown[] = Reflect.get(process, '_getActiveHandles').call(process)
  const isPort = (each: unknown) => each instanceof MessagePort
  return [parentPort, ...handles.filter(isPort)] as ReturnType<typeof portsInReach>
}

/** Speaks in the place of its runner. */
export const impostor = defineJob({
  method: 'test.impostor',
  run(_job, { keys }: { keys: string[] }) {
    for (const port of portsInReach()) {
      port.postMessage(null)
      port.postMessage({ kind: 'reports', reports: null })
      port.postMessage({ kind: 'reports', reports: { progress: 5, waiting: [{}], ends: [null] } })
      for (const key of keys) {
        const waits = { key, waiting: true }
        port.postMessage({ kind: 'reports', reports: { waiting: [waits, waits] } })
        const end = { kind: 'stopped' }
        port.postMessage({ kind: 'reports', reports: { ends: [{ key, end }] } })
        port.postMessage({ kind: 'reports', reports: { successes: [['x', 1], 5] } })
      }
    }
    return { given: Object.keys(workerData) }
  },
})

/** Makes its thread hear nothing any more. */
export const deafen = defineJob({
  method: 'test.deafen',
  run() {
    for (const port of portsInReach()) port.removeAllListeners()
    return threadId
  },
})

let kept: Offstage | undefined

/** Keeps its client for others, having used it or not. */
export const keeper = defineJob({
  method: 'test.keeper',
  async run(job, { calls }: { calls: boolean }) {
    kept = job.client
    if (calls) await kept.startJob(echo, {})
  },
})

/** Calls by the client of a job that has ended. */
export const latecomer = defineJob({
  method: 'test.latecomer',
  run: () => kept?.startJob(echo, {}),
})

/** All it can find of what its thread was given. */
export const snoop = defineJob({
  method: 'test.snoop',
  run: () => JSON.stringify([process.env, workerData, process.argv, process.execArgv]),
})
