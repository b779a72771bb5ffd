import type { Scenario } from './scenario.ts'
import { jsonOf, type Stage } from './stage.ts'
import { awaited, mustBe } from './verdict.ts'

/** SIGTERM has come, and the executor has said so. */
async function leaving(stage: Stage, method: 'hold' | 'why' = 'hold') {
  const attempt = await stage.holding(method)
  const attachment = await stage.attached()
  const credits = attachment.credits()
  stage.executor.leave()
  await awaited('`draining`', () => attachment.isDraining || undefined)
  return { attempt, attachment, credits }
}

export const leavingScenarios: readonly Scenario[] = [
  {
    number: '6.1',
    title:
      'that is stopped takes nothing more, finishes what runs, waits for the last acknowledgement and closes the stream',
    async run(stage) {
      stage.scheduler.acknowledges = false
      const { attempt, attachment, credits } = await leaving(stage)
      const late = stage.attempt('hold')
      attachment.say({ assignments: [late.assignment] })
      await awaited('what was assigned too late to be handed back', () =>
        attachment.isHandedBack(late) ? true : undefined,
      )
      attempt.release()
      mustBe(
        'what the running handler returns',
        jsonOf(await attachment.result(attempt)),
        'released',
      )
      mustBe('whether the stream is open until the result is acknowledged', attachment.isOpen, true)
      attachment.acknowledge({ jobId: attempt.jobId, attempt: attempt.attempt })
      await stage.executor.exited
      await awaited('the end of the stream', () => !attachment.isOpen || undefined)
      mustBe('whether it closed the stream from its side', attachment.isLeft, true)
      mustBe('what the late handler did', late.notes(), [])
      const given = attachment.credits() - (credits - 1)
      mustBe('credits given while draining', given, 0)
    },
  },
]

/** With a grace that is short. */
export const impatientScenarios: readonly Scenario[] = [
  {
    number: '6.2',
    title: 'that is stopped hands back what does not finish within its grace',
    async run(stage) {
      const { attempt, attachment } = await leaving(stage, 'why')
      await awaited('the attempt to be handed back', () =>
        attachment.isHandedBack(attempt) ? true : undefined,
      )
      mustBe('why the handler was stopped', attempt.notes()[1], 'EXECUTOR_DRAINING')
      await stage.executor.exited
      mustBe('how often its end was told', attachment.results(attempt).length, 0)
      await awaited('the end of the stream', () => !attachment.isOpen || undefined)
      mustBe('whether it closed the stream from its side', attachment.isLeft, true)
    },
  },
]
