import { dueTimesOf, type Timing } from '../domain/due-times.ts'
import type { Steps } from '../domain/steps.ts'

/** Terms of which only what is given matters. */
export function timing(given: Partial<Timing>): Timing {
  return {
    crons: [],
    intervalMs: undefined,
    anchorTime: undefined,
    excludedCrons: [],
    timeZone: 'UTC',
    beginTime: undefined,
    endTime: undefined,
    jitterMs: 0,
    ...given,
  }
}

/** Without a pause, and how many parts it had. */
export function atOnce<T>(steps: Steps<T>): { readonly value: T; readonly parts: number } {
  for (let parts = 1; ; parts++) {
    const step = steps.next()
    if (step.done) return { value: step.value, parts }
  }
}

/** The due time after another, as far as one look for it goes. */
export function nextDue(given: Timing): (after: Date) => Date | undefined {
  const next = dueTimesOf(given)
  return (after) => {
    const { value } = atOnce(next(after))
    return value?.isDue ? value.time : undefined
  }
}
