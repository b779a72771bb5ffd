/**
 * What parameters and results that are streams cost: the memory of every process while a job takes and returns many bytes, and while
 * one hands them to a child. Nothing of it may grow with them.
 *
 * Run: BENCH_MIB=1024 node bench/streams/main.ts
 */
import { createHash } from 'node:crypto'
import { Offstage } from '@offstage/sdk'
import { startStack } from '../hot-path/stack.ts'
import { parent, relay } from './jobs.ts'
import { peaksOf, type Watched } from './peaks.ts'

const MIB = Number(process.env.BENCH_MIB ?? 1_024)
const WARM_UP_MIB = 48
const PIECE = Buffer.alloc(1_024 * 1_024, 'a piece of a very long stream, ')

async function* pieces(mib: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let n = 0; n < mib; n += 1) {
    PIECE.writeUInt32LE(n)
    // A copy: what is under way is not to change.
    yield Buffer.from(PIECE)
  }
}

async function sumOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

const jobs = new URL('./jobs.ts', import.meta.url)
await using stack = await startStack({}, { jobs, storage: true })
const { scheduler, storage } = stack
if (storage === undefined) throw new Error('there is no storage')
await using offstage = await Offstage.connect({ scheduler, storage: storage.address })

async function upAndDown(mib: number): Promise<void> {
  const job = await offstage.startJob(relay, pieces(mib))
  const { chunks } = await job.resultStream()
  if ((await sumOf(chunks)) !== (await sumOf(pieces(mib)))) throw new Error('other bytes came back')
  await offstage.deleteJob(job.id)
}

async function byParent(mib: number): Promise<void> {
  if ((await offstage.run(parent, pieces(mib))) !== mib * PIECE.length)
    throw new Error('bytes lost')
}

// What every process needs for any stream, whatever its length, it has then.
await upAndDown(WARM_UP_MIB)
await byParent(WARM_UP_MIB)

const processes: readonly Watched[] = [
  { name: 'caller', pid: process.pid },
  { name: 'scheduler', pid: stack.schedulerPid },
  { name: 'storage', pid: storage.pid },
  { name: 'executor', pid: stack.executorPid },
]
const rows: Record<string, unknown>[] = []
for (const [work, run] of Object.entries({ 'up and down': upAndDown, 'to a child': byParent })) {
  const begun = performance.now()
  const peaks = await peaksOf(processes, () => run(MIB))
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1)
  for (const peak of peaks) rows.push({ work, MiB: MIB, seconds, ...peak })
}
console.table(rows)
// For whoever reads it by a program.
if (process.env.BENCH_JSON !== undefined) console.log(JSON.stringify(rows))
