/** Long work of this process, such as that of finding due times: in slices, one at a time, so that it stops nobody else. */
import type { Steps } from '../domain/steps.ts'

/** Of one caller's work, before others have their turn. */
const SLICE_MS = 5

/** How often one call looks on for due times where exclusions leave none for very long: a few seconds of work. */
export const GO_ON_MAX = 25

/** In order; whatever else there is to do comes between two of them. */
const waiting: (() => void)[] = []

function turn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (waiting.push(resolve) === 1) setImmediate(letNextOn)
  return promise
}

function letNextOn(): void {
  waiting.shift()?.()
  if (waiting.length > 0) setImmediate(letNextOn)
}

export interface Turns {
  /** To be awaited before each part of the work. */
  next(): Promise<void>
}

export function createTurns(): Turns {
  let begun = performance.now()
  return {
    async next() {
      if (performance.now() - begun < SLICE_MS) return
      await turn()
      begun = performance.now()
    },
  }
}

export async function inTurns<T>(steps: Steps<T>, turns = createTurns()): Promise<T> {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    await turns.next()
  }
}
