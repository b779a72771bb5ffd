/** Work that is done again and again behind everything else (guarantee 4): each sweep in its own rhythm, never twice at once. */
import { composeServices, createLoop, type Service } from '@offstage/kit/lifecycle'

export interface Sweep {
  /** Names it in errors. */
  readonly name: string
  /** The longest wait between two runs. */
  readonly everyMs: number
  /** Bounded work for each statement; `signal` aborts when it has taken too long, and at the stop. */
  run(signal: AbortSignal): Promise<void>
  /** Says when there is work to do at once. Optional: the rhythm is what is relied on. */
  onHint?(wake: () => void): void
}

const TIMEOUT_MS = 30_000

export function createUpkeep(sweeps: readonly Sweep[], onError: (error: unknown) => void): Service {
  const loops = sweeps.map((sweep) => {
    const { name, everyMs } = sweep
    const run = (signal: AbortSignal) => sweep.run(signal)
    const loop = createLoop({ name, everyMs, timeoutMs: TIMEOUT_MS, run, onError })
    sweep.onHint?.(loop.wake)
    return loop
  })
  return composeServices('upkeep', loops)
}
