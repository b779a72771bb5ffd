/** Work that is done again and again behind everything else (guarantee 4): each sweep in its own rhythm, never twice at once. */
import { composeServices } from './compose-services.ts'
import { createLoop } from './loop.ts'
import type { Service } from './service.ts'

export interface Sweep {
  /** Names it in errors. */
  readonly name: string
  /** The longest wait between two runs. */
  readonly everyMs: number
  /** After so long the signal of a run aborts. Default: 30 s. */
  readonly timeoutMs?: number
  /** Whether it also runs at the start. Default: one wait after it. */
  readonly atStart?: boolean
  run(signal: AbortSignal): Promise<void>
  /** Is told how to ask for a run at once. The rhythm is what is relied on. */
  onHint?(wake: () => void): void
}

const TIMEOUT_MS = 30_000

/** Runs sweeps, each by itself, so that one that fails or hangs holds up no other. */
export function createUpkeep(sweeps: readonly Sweep[], onError: (error: unknown) => void): Service {
  const loops = sweeps.map((sweep) => {
    const { name, everyMs, timeoutMs = TIMEOUT_MS } = sweep
    const run = (signal: AbortSignal) => sweep.run(signal)
    const loop = createLoop({ name, everyMs, timeoutMs, run, onError })
    sweep.onHint?.(loop.wake)
    if (sweep.atStart) loop.wake()
    return loop
  })
  return composeServices('upkeep', loops)
}
