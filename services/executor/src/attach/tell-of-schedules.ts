import type { Logger } from '@offstage/kit/telemetry'
import { type DeclarationOutcome, DeclarationResult } from '@offstage/proto/executor'

const DONE: Readonly<Partial<Record<DeclarationResult, string>>> = {
  [DeclarationResult.DECLARATION_RESULT_CREATED]: 'schedule created',
  [DeclarationResult.DECLARATION_RESULT_CHANGED]: 'schedule changed',
  [DeclarationResult.DECLARATION_RESULT_REMOVED]: 'schedule removed',
}

/** What came of the schedules that the job modules declare. */
export function tellOfSchedules(outcomes: readonly DeclarationOutcome[], log: Logger): void {
  for (const { scheduleId, result, reason, message } of outcomes) {
    const done = DONE[result]
    if (done !== undefined) log.info({ schedule: scheduleId }, done)
    if (result !== DeclarationResult.DECLARATION_RESULT_REFUSED) continue
    log.warn({ schedule: scheduleId, reason, why: message }, 'schedule not as the code declares it')
  }
}
