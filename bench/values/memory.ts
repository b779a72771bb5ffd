/**
 * Bytes per entry at a million entries, one library to a process, so that none sees another's heap.
 *
 * Run by main.ts: node --expose-gc bench/values/memory.ts <library>. Prints the bytes.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { newBento, newDedupe, newLru, newReusable } from './contestants.ts'
import { BENTO, DEDUPE, kept, LRU, SYNC } from './scenarios.ts'

const ENTRIES = 1_000_000

const fillers: Readonly<Record<string, () => unknown>> = {
  [LRU]() {
    const lru = newLru()
    for (let id = 0; id < ENTRIES; id++) lru.set(id, { id })
    return lru
  },
  [SYNC]() {
    const f = newReusable((id) => ({ id }))
    for (let id = 0; id < ENTRIES; id++) f(id)
    if (f.statistics().entries !== ENTRIES) throw new Error('some values were dropped')
    return f
  },
  async [DEDUPE]() {
    const f = newDedupe(async (id) => ({ id: id as number }))
    for (let id = 0; id < ENTRIES; id++) await f(id)
    return f
  },
  async [BENTO]() {
    const f = newBento()
    for (let id = 0; id < ENTRIES; id++) await f(String(id), async () => ({ id }))
    return f
  },
}

/** Of each library, by name. One after the other, as memory is what they would compete for. */
export async function measureMemory(): Promise<Map<string, number>> {
  const bytes = new Map<string, number>()
  for (const name of Object.keys(fillers)) {
    const args = ['--expose-gc', '--max-old-space-size=3072', fileURLToPath(import.meta.url), name]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    bytes.set(name, Number(stdout))
  }
  return bytes
}

function bytesInUse(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

if (import.meta.main) {
  const fill = fillers[process.argv[2] ?? '']
  if (fill === undefined) throw new Error(`no library ${process.argv[2]}`)
  const before = bytesInUse()
  kept.value = await fill()
  console.log(Math.round((bytesInUse() - before) / ENTRIES))
  process.exit(0) // some libraries keep timers
}
