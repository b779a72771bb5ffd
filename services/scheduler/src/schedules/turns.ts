import { setImmediate as turn } from 'node:timers/promises'

/** Of one caller's work, before others have their turn. */
const SLICE_MS = 10

/** For work of many parts that each take time: to be awaited before each of them, so that it stops nobody else. */
export function createTurns(): { next(): Promise<void> } {
  let begun = performance.now()
  return {
    async next() {
      if (performance.now() - begun < SLICE_MS) return
      await turn()
      begun = performance.now()
    },
  }
}
