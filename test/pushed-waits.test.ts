import { type JobHandle, Offstage } from '@offstage/sdk'
import { expect, test } from 'vitest'
import { createManualClock } from '../sdk/src/idle/manual-clock.ts'
import { startCluster } from './cluster/cluster.ts'
import { steps } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
/** Their ends lie apart, so that each is learned by a wait of its own. */
const LENGTHS = [3, 9, 15].map((count) => ({ count, everyMs: 40 }))

/** The clock of the client stands still: what it does not learn by push it never learns. */
async function setUp() {
  const cluster = await startCluster({ jobs, schedulers: 1, executors: 1 })
  const clock = createManualClock()
  const offstage = await Offstage.connect({ scheduler: cluster.target(), clock })
  return {
    offstage,
    async [Symbol.asyncDispose]() {
      await offstage.close()
      await cluster[Symbol.asyncDispose]()
    },
  }
}

const idsOf = (handles: readonly JobHandle[]) => handles.map(({ id }) => id).sort()

async function waitForEach(offstage: Offstage, handles: readonly JobHandle[]) {
  const ended: string[] = []
  let left = handles
  while (left.length > 0) {
    const answer = await offstage.waitAny(left)
    ended.push(...answer.finished.map(({ id }) => id))
    left = answer.unfinished
  }
  return ended.sort()
}

test('repeated waits learn every end by push: of clients, of handlers, and after one that was given up', async () => {
  await using it = await setUp()
  const { offstage } = it

  const ofClient = await offstage.startJobs(steps, LENGTHS)
  expect(await waitForEach(offstage, ofClient)).toEqual(idsOf(ofClient))

  // What an executor gives to a handler.
  const parent = await offstage.startJob(steps, { count: 1, everyMs: 1 })
  await using inHandler = offstage.forJob({
    jobId: parent.id,
    owner: 'dev',
    token: process.env.OFFSTAGE_TOKEN ?? '',
    namespace: 'default',
    scope: '',
    traceparent: '',
    onWaiting: () => {},
  })
  const children = await inHandler.startJobs(steps, LENGTHS)
  expect(await waitForEach(inHandler, children)).toEqual(idsOf(children))

  const abort = new AbortController()
  const [job, ...others] = await offstage.startJobs(steps, LENGTHS)
  const given = job?.waitForCompletion({ signal: abort.signal, onProgress: () => abort.abort() })
  await expect(given).rejects.toThrow()
  const percents: number[] = []
  const done = await job?.waitForCompletion({
    onProgress: ({ percent }) => percents.push(Math.round(percent)),
  })
  expect(done?.messages.map(({ text }) => text)).toEqual(['step 0', 'step 1', 'step 2'])
  expect(percents.at(-1)).toBe(100)
  expect(await waitForEach(offstage, others)).toEqual(idsOf(others))
}, 60_000)
