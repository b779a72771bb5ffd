/**
 * How long a slot stands empty from one job to the next while jobs are queued, and where that time goes: by an executor of ours that ends
 * each attempt at once, so that all of it is the scheduler's and the database's, beside what the disk takes to sync and what the executor
 * of the product adds in its lane `task`. Figures depend on the machine.
 *
 * Run: BENCH_SLOTS=2,50,500 node bench/turns/main.ts
 */
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type JobHandle, Offstage } from '@offstage/sdk'
import { defineJob } from '@offstage/sdk/jobs'
import { noop } from '../hot-path/jobs.ts'
import { median } from '../hot-path/rate.ts'
import { startStack } from '../hot-path/stack.ts'
import { attachPlainExecutor } from './plain-executor.ts'

const SLOTS = (process.env.BENCH_SLOTS ?? '2,50,500').split(',').map(Number)
const TASK_SLOTS = 2
/** Turns of each slot. */
const TURNS = 200
const JOBS_MAX = 20_000
const SYNCS = 200
/** Of the times in /proc, as Linux has it on every machine of ours. */
const TICKS_PER_SECOND = 100

const round = (ms: number) => Math.round(ms * 100) / 100

/** What a commit waits for at least. */
async function syncMs(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-sync-'))
  const file = await open(join(folder, 'log'), 'w')
  try {
    const page = Buffer.alloc(8_192, 1)
    await file.write(Buffer.alloc(SYNCS * page.length))
    await file.sync()
    const took: number[] = []
    for (let at = 0; at < SYNCS; at++) {
      await file.write(page, 0, page.length, at * page.length)
      const began = performance.now()
      await file.datasync()
      took.push(performance.now() - began)
    }
    return median(took)
  } finally {
    await file.close()
    await rm(folder, { recursive: true })
  }
}

async function cpuMicros(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6
}

async function queue(offstage: Offstage, definition: typeof noop, jobs: number) {
  const handles: JobHandle[] = []
  while (handles.length < jobs) {
    const params = new Array<undefined>(Math.min(500, jobs - handles.length)).fill(undefined)
    handles.push(...(await offstage.startJobs(definition, params, { lane: 'task' })))
  }
  return handles
}

await using stack = await startStack({ OFFSTAGE_EXECUTOR_TASK_SLOTS: String(TASK_SLOTS) })
await using offstage = await Offstage.connect({ scheduler: stack.scheduler })

const rows: Record<string, unknown>[] = []
for (const slots of [2, ...SLOTS]) {
  const plain = defineJob({ method: `bench.plain-${slots}-${rows.length}`, run: () => {} })
  const jobs = Math.min(slots * TURNS, JOBS_MAX)
  using executor = await attachPlainExecutor(stack.scheduler, plain.method, slots)
  await queue(offstage, plain, jobs)
  const cpuBefore = await cpuMicros(stack.schedulerPid)
  const began = performance.now()
  await executor.run(jobs)
  const seconds = (performance.now() - began) / 1_000
  const cpu = (await cpuMicros(stack.schedulerPid)) - cpuBefore
  const { turns, acknowledgements } = executor
  rows.push({
    slots,
    'jobs/s': Math.round(jobs / seconds),
    'next assignment (ms)': round(median(turns.ms)),
    'acknowledged (ms)': round(median(acknowledgements.ms)),
    'jobs a claim': round(jobs / turns.messages),
    'jobs an end': round(jobs / acknowledgements.messages),
    'CPU of the scheduler (µs/job)': Math.round(cpu / jobs),
  })
}
// The first is to warm up.
console.table(rows.slice(1))

await offstage.pauseMethod(noop.method)
const handles = await queue(offstage, noop, TASK_SLOTS * TURNS)
const began = performance.now()
await offstage.resumeMethod(noop.method)
await offstage.waitAll(handles)
console.table({
  'a sync of the disk': { ms: round(await syncMs()) },
  'a turn of the lane task of the executor': { ms: round((performance.now() - began) / TURNS) },
})
