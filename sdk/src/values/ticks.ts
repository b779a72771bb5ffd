/** The unit of time of a store: whole tenths of a second since its clock's origin. */
export const TICK_MS = 100

/** At least one tick, else rounded; Infinity stays. */
export function ticksOf(ms: number): number {
  return Math.max(1, Math.round(ms / TICK_MS))
}
