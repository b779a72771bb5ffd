/** Parameters and results that are streams, across processes. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import { slowReader, slowWriter } from './cluster/stream-jobs.ts'

// Far more than what a process may grow by before it collects its garbage.
const MIB = 128

// The same as make bench-streams, which does it with 1 GiB.
test.runIf(process.platform === 'linux')(
  'a stream is in the memory of no process as a whole, on its way to a job, to its child and back',
  { timeout: 400_000 },
  async () => {
    const main = fileURLToPath(new URL('../bench/streams/main.ts', import.meta.url))
    // Its services have settings of their own.
    const others = Object.entries(process.env).filter(([name]) => !name.startsWith('OFFSTAGE_'))
    const env = { ...Object.fromEntries(others), BENCH_MIB: String(MIB), BENCH_JSON: '1' }
    const { stdout } = await promisify(execFile)(process.execPath, [main], { env })
    const peaks = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as { grown: number }[]
    expect(peaks).toHaveLength(8)
    for (const peak of peaks) expect(peak.grown, JSON.stringify(peak)).toBeLessThan(0.75 * MIB)
  },
)

test('though storage is killed meanwhile a handler reads its stream on where it was, a short result is sent again, and for a long one it runs again', async () => {
  const jobs = new URL('./cluster/stream-jobs.ts', import.meta.url)
  await using cluster = await startCluster({ jobs, schedulers: 1, executors: 1, storage: true })
  const { storage } = cluster
  await using offstage = await Offstage.connect({ scheduler: cluster.target(), storage })
  const folder = await mkdtemp(join(tmpdir(), 'offstage-streams-'))
  await using _removed = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
  const goOn = join(folder, 'go-on')
  const size = 24 * 1_024 * 1_024
  const job = await offstage.startJob(slowReader, Buffer.alloc(size, 7), { labels: { goOn } })
  const short = await offstage.startJob(slowWriter, { pieces: 8 }, { labels: { goOn } })
  const long = await offstage.startJob(slowWriter, { pieces: 40 }, { labels: { goOn } })
  for (const begun of [job, short, long]) {
    await until(async () => (await begun.messages()).length > 0, { timeoutMs: 60_000 })
  }
  await cluster.storages[0]?.process.kill('SIGKILL')
  await writeFile(goOn, '')
  await cluster.storages[0]?.restart()
  expect(await job.value()).toEqual({ bytes: size, attempt: 1 })
  expect((await short.value()).at(-1)).toBe(1)
  expect((await long.value()).at(-1)).toBe(2)
  const [first] = (await long.refresh()).attempts
  expect(first?.errorBrief).toContain('the handler has to run again')
}, 120_000)
