import { setTimeout as pause } from 'node:timers/promises'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { steps } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)

/** Shared: starting it takes longer than they do. */
const resources = new AsyncDisposableStack()
let cluster: Cluster
let offstage: Offstage
beforeAll(async () => {
  cluster = resources.use(await startCluster({ jobs, schedulers: 1, executors: 1, postgres: {} }))
  offstage = resources.use(await Offstage.connect({ scheduler: cluster.target() }))
})
afterAll(() => resources.disposeAsync())

test.for([
  { away: 'a moment', awayMs: 0 },
  { away: 'longer than a lease', awayMs: 4_000 },
])(
  'waits go on when PostgreSQL was away for $away, and miss nothing',
  {
    timeout: 120_000,
  },
  async ({ awayMs }) => {
    const count = 100 + awayMs / 50
    const handles = await offstage.startJobs(
      steps,
      Array.from({ length: 20 }, () => ({ count, everyMs: 50 })),
    )
    const percents: number[] = []
    const told = handles.map(() => [] as string[])
    const waits = handles.map((handle, index) =>
      handle.waitForCompletion({
        onProgress: ({ percent }) => index === 0 && percents.push(percent),
        onMessage: ({ text }) => told[index]?.push(text),
      }),
    )
    await until(() => told.every((texts) => texts.length > 10), { timeoutMs: 20_000 })
    await cluster.postgres.stop('immediate')
    await pause(awayMs)
    await cluster.postgres.start()
    const seen = percents.length
    const ends = await Promise.all(waits)
    expect(ends.map(({ state }) => state)).toEqual(handles.map(() => 'succeeded'))
    expect(percents.length).toBeGreaterThan(seen)
    expect(percents).toEqual([...percents].sort((a, b) => a - b))
    const wanted = Array.from({ length: count }, (_, n) => `step ${n}`)
    for (const texts of told) expect(texts).toEqual(wanted)
    for (const handle of handles) expect((await handle.refresh()).attempt).toBe(1)
    const exited = cluster.schedulers[0]?.process.exited
    expect(await Promise.race([exited, pause(0, 'runs')])).toBe('runs')
  },
)
