/** Node would fire a longer timer at once; 24 days are as good as never. */
export const TIMER_MS_MAX = 2 ** 31 - 1

export function startTimer(work: () => void, delayMs: number): NodeJS.Timeout {
  return setTimeout(work, Math.min(delayMs, TIMER_MS_MAX))
}
