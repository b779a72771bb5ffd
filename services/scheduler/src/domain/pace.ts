/** How many jobs of a queue began lately while others were waiting in it, and when another may by that. */

/** What one replica let begin within a time throughout which the queue had jobs. */
export interface PaceSample {
  readonly scheduler: string
  readonly starts: number
  readonly periodMs: number
}

/** Eight of ten begin between the two, from now. */
export interface StartEstimate {
  readonly earliestMs: number
  readonly latestMs: number
}

/** Fewer say nothing. */
export const STARTS_MIN = 3
/** Of a normal distribution one in ten is further up than so many deviations. */
const DEVIATIONS = 1.2816
/** Fewer samples tell no spread of their own: then that of starts which know nothing of each other. */
const SAMPLES_MIN = 4
const DISPERSION_MIN = 0.1
const DISPERSION_MAX = 50

/**
 * The job after the `ahead` first. What is not known adds up: how the starts until then scatter, and how those did by which the
 * pace is known.
 */
export function estimateStart(
  samples: readonly PaceSample[],
  ahead: number,
): StartEstimate | undefined {
  const starts = sum(samples.map((sample) => sample.starts))
  const perMs = paceOf(samples)
  if (starts < STARTS_MIN || perMs === 0) return undefined
  const coming = ahead + 1
  const aboutMs = coming / perMs
  const deviation = Math.sqrt(dispersionOf(samples) * (1 / coming + 1 / starts))
  const spread = Math.exp(DEVIATIONS * deviation)
  return { earliestMs: aboutMs / spread, latestMs: aboutMs * spread }
}

/** Replicas let begin side by side. */
function paceOf(samples: readonly PaceSample[]): number {
  const byScheduler = Map.groupBy(samples, ({ scheduler }) => scheduler)
  return sum(
    [...byScheduler.values()].map((of) => {
      const periodMs = sum(of.map((sample) => sample.periodMs))
      return periodMs === 0 ? 0 : sum(of.map((sample) => sample.starts)) / periodMs
    }),
  )
}

/** How much more, or less, the numbers of starts scatter than those of events that know nothing of each other. */
function dispersionOf(samples: readonly PaceSample[]): number {
  if (samples.length < SAMPLES_MIN) return 1
  const schedulers = Map.groupBy(samples, ({ scheduler }) => scheduler)
  const squares = [...schedulers.values()].flatMap((of) => {
    const perMs = paceOf(of)
    return of.map(({ starts, periodMs }) => (starts - perMs * periodMs) ** 2 / (perMs * periodMs))
  })
  const known = squares.filter(Number.isFinite)
  const dispersion = sum(known) / Math.max(known.length - schedulers.size, 1)
  return Math.min(Math.max(dispersion, DISPERSION_MIN), DISPERSION_MAX)
}

function sum(values: readonly number[]): number {
  return values.reduce((one, other) => one + other, 0)
}
