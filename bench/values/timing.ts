/** One side of a comparison: prepares `operations` calls and runs them, synchronously or not. */
export interface Contestant {
  readonly name: string
  /** Calls of one round; fewer for slow ones. */
  readonly operations: number
  readonly run: (operations: number, round: number) => void | Promise<void>
}

/** Nanoseconds per call, one figure a round. */
export type Figures = ReadonlyMap<string, readonly number[]>

const ROUNDS = 9
const WARM_UP_ROUNDS = 3

/** Contestants take turns in every round, so that a busy machine troubles all alike. */
export async function compare(contestants: readonly Contestant[]): Promise<Figures> {
  const figures = new Map<string, number[]>(contestants.map(({ name }) => [name, []]))
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    for (const { name, operations, run } of contestants) {
      const startedNs = process.hrtime.bigint()
      const running = run(operations, round)
      if (running !== undefined) await running
      const ns = Number(process.hrtime.bigint() - startedNs) / operations
      if (round >= WARM_UP_ROUNDS) figures.get(name)?.push(ns)
    }
  }
  return figures
}

export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The median over rounds of how many times as long `name` took as `other` in the same round. */
export function ratio(figures: Figures, name: string, other: string): number {
  const others = figures.get(other) ?? []
  const ratios = (figures.get(name) ?? []).map((ns, round) => ns / (others[round] ?? Number.NaN))
  return median(ratios)
}
