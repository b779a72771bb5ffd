import { setTimeout as pause } from 'node:timers/promises'

/**
 * Waits until `condition` holds, asking it again and again. A condition that throws fails the wait at once.
 * `timeoutMs` is 30 000 by default, which is for busy machines alone; when it runs out the error names `what`, which may say how far it got by then.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  options: { timeoutMs?: number; what?: string | (() => string) } = {},
): Promise<void> {
  const { timeoutMs = 30_000, what = String(condition) } = options
  const giveUpAt = performance.now() + timeoutMs
  for (let pauseMs = 1; !(await condition()); pauseMs = Math.min(pauseMs * 2, 50)) {
    if (performance.now() > giveUpAt) {
      const wanted = typeof what === 'string' ? what : what()
      throw new Error(`gave up after ${timeoutMs} ms waiting until ${wanted}`)
    }
    await pause(pauseMs)
  }
}
