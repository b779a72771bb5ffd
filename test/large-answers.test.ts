import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import { page } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))
/** Of each result only what is not padding, so that a failure can be read. */
const headOf = (result: unknown) => String(result).trimEnd().replace(/ x*$/, '')
const heads = (count: number) => Array.from({ length: count }, (_, n) => `${n}`)

test('more results than one message takes reach a caller who does not notice', async () => {
  await using cluster = await startCluster({ jobs, schedulers: 1, executors: 1 })
  await using offstage = await Offstage.connect({ scheduler: cluster.target() })

  // Inline: 30 MB of results in the answer of one call.
  const inline = await offstage.startJobs(page, numbers(500), { inlineWaitMs: 30_000 })
  expect(inline.filter(({ isCompleted }) => !isCompleted)).toEqual([])
  expect(inline.map(({ result }) => headOf(result))).toEqual(heads(500))

  // Pushed while they run.
  const pushed = await offstage.startJobs(page, numbers(500))
  const answer = await offstage.waitAll(pushed, { timeoutMs: 60_000 })
  expect(answer.satisfied).toBe(true)
  expect(pushed.map(({ result }) => headOf(result))).toEqual(heads(500))

  // Pushed after they have ended, by a client that has only their ids.
  await using other = await Offstage.connect({ scheduler: cluster.target() })
  const ends = await Promise.all(
    pushed.slice(0, 330).map(({ id }) => other.job<string>(id).waitForCompletion()),
  )
  expect(ends.map(({ result }) => headOf(result))).toEqual(heads(330))

  // Polled: a wait whose time is up reads the states once, if a busy machine reads them within its second.
  const polled = pushed.map(({ id }) => other.job<string>(id))
  for (const some of [polled.slice(0, 250), polled.slice(250)]) {
    const areKnown = async () => (await other.waitAll(some, { timeoutMs: 0 })).satisfied
    await until(areKnown, { timeoutMs: 60_000, what: 'the states to be read' })
  }
  expect(polled.map(({ result }) => headOf(result))).toEqual(heads(500))

  // Listed: results are left out, so a thousand fit.
  const list = await offstage.listJobsPage({}, { pageSize: 1_000 })
  expect(list.jobs).toHaveLength(1_000)
}, 180_000)
