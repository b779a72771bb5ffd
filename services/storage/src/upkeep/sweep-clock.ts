import type { Logger } from '@offstage/kit/telemetry'
import type { ClockStore } from '../ports/sweeps.ts'
import { BATCH, inBatches } from './sweep-ended.ts'

/** Less is of no matter to any due time. Several services look at the clock at the same moment. */
const NOTICED_MS_MIN = 1_000

/**
 * Notices when the database's clock was put back, and brings due times back to what they can be at most:
 * nothing ends too early, and nothing stays for hours whose owner is gone.
 */
export async function sweepClock(
  clock: ClockStore,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const putBackMs = await clock.putBackMs()
  if (putBackMs >= NOTICED_MS_MIN) {
    log.warn({ putBackMs }, "the database's clock was put back; due times follow it")
    await inBatches(signal, () => clock.bringBack(BATCH))
  }
  // A step too small to be noticed is not to add up to one that is.
  if (putBackMs === 0 || putBackMs >= NOTICED_MS_MIN) await clock.accept(putBackMs)
}
