/**
 * What processes hold while a soak goes on: resident memory, threads and open handles, looked at every second.
 *
 * Whether something grows is told by a line through the lowest values of the second half, ten of them in equal parts of it: what
 * comes and goes with the load is in none of them, what stays is in all.
 */
import { readdir, readFile } from 'node:fs/promises'
import { createLoop } from '@offstage/kit/lifecycle'

const LOOK_MS = 1_000
const PARTS = 10

/** What may come to be held in the second half, or a tenth of what is held, where that is more. */
const ALLOWED = { residentMiB: 32, threads: 6, handles: 20 } as const
const SHARE_ALLOWED = 0.1
/** What a handler thread holds once it has loaded the jobs of a soak (docs/guides/executors.md). */
const OF_A_THREAD = { residentMiB: 48, threads: 0, handles: 5 } as const

export type Quantity = keyof typeof ALLOWED
export const QUANTITIES = Object.keys(ALLOWED) as readonly Quantity[]

/** Of one process, as Linux tells it. */
export async function usageOf(pid: number): Promise<Readonly<Record<Quantity, number>>> {
  const [text, handles] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readdir(`/proc/${pid}/fd`),
  ])
  const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1])
  return {
    residentMiB: Math.round(number('VmRSS') / 1_024),
    threads: number('Threads'),
    handles: handles.length,
  }
}

/** How much there is more at the end of the second half than at its beginning. */
export function growthOf(samples: readonly number[]): number {
  const half = samples.slice(Math.floor(samples.length / 2))
  const size = Math.max(1, Math.floor(half.length / PARTS))
  const lows: number[] = []
  for (let at = 0; at + size <= half.length; at += size) {
    lows.push(Math.min(...half.slice(at, at + size)))
  }
  const last = lows.length - 1
  const middle = last / 2
  const mean = meanOf(lows)
  let rise = 0
  let run = 0
  for (const [at, low] of lows.entries()) {
    rise += (at - middle) * (low - mean)
    run += (at - middle) ** 2
  }
  return run === 0 ? 0 : (rise / run) * last
}

type Samples = Readonly<Record<Quantity, readonly number[]>>

/** Whether it is more than what comes of warming up, and of threads that there are more; those are judged as such. */
export function isGrowing(quantity: Quantity, samples: Samples): boolean {
  const held = samples[quantity]
  const allowed = Math.max(ALLOWED[quantity], meanOf(held) * SHARE_ALLOWED)
  const ofThreads = OF_A_THREAD[quantity] * Math.max(0, growthOf(samples.threads))
  return growthOf(held) > allowed + ofThreads
}

export interface UsageRow extends Readonly<Record<Quantity, string>> {
  readonly process: string
}

/** Looks at processes that live until it is stopped. */
export class UsageLog {
  readonly #samples: ReadonlyMap<string, Record<Quantity, number[]>>
  readonly #loop

  constructor(pids: Readonly<Record<string, number>>, onError: (error: unknown) => void) {
    const names = Object.keys(pids)
    this.#samples = new Map(
      names.map((name) => [name, { residentMiB: [], threads: [], handles: [] }]),
    )
    this.#loop = createLoop({
      name: 'usage',
      everyMs: LOOK_MS,
      timeoutMs: 10 * LOOK_MS,
      onError,
      run: async () => {
        for (const [name, samples] of this.#samples) {
          const usage = await usageOf(pids[name] ?? Number.NaN)
          for (const quantity of QUANTITIES) samples[quantity].push(usage[quantity])
        }
      },
    })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** What they held: at the beginning, at most, at the end, and by how much it grew. */
  table(): UsageRow[] {
    return Array.from(this.#samples, ([process, samples]) => {
      const told = (quantity: Quantity) => {
        const [first, max, last] = spanOf(samples[quantity])
        const growth = Math.round(growthOf(samples[quantity]))
        return `${first} → ${last}, at most ${max}; ${growth < 0 ? '' : '+'}${growth}`
      }
      const [residentMiB, threads, handles] = [
        told('residentMiB'),
        told('threads'),
        told('handles'),
      ]
      return { process, residentMiB, threads, handles }
    })
  }

  growing(): string[] {
    return [...this.#samples].flatMap(([process, samples]) =>
      QUANTITIES.filter((quantity) => isGrowing(quantity, samples)).map(
        (quantity) => `${process}: ${quantity}`,
      ),
    )
  }
}

function spanOf(samples: readonly number[]): readonly [number, number, number] {
  return [samples[0] ?? 0, Math.max(0, ...samples), samples.at(-1) ?? 0]
}

function meanOf(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length
}
