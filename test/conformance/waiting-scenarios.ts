/** What an executor does while a handler waits for a job it has started. */
import { durationFrom } from '@offstage/proto/durations'
import type { Scenario } from './scenario.ts'
import { jsonOf, type Stage } from './stage.ts'
import { awaited, mustBe } from './verdict.ts'

const GRACE = durationFrom(60_000)

/** A handler that waits for its child, and has said so. */
async function waiting(stage: Stage) {
  const { scheduler } = stage
  const before = scheduler.started.length
  const attempt = await stage.assign('parent')
  const child = await awaited('a child job', () => scheduler.started[before])
  const attachment = await stage.attached()
  await awaited('`waiting: true`', () => attachment.waiting(attempt).at(-1))
  return { attempt, child, attachment }
}

export const waitingScenarios: readonly Scenario[] = [
  {
    number: '2.15',
    title:
      'gives back the slot of a handler that waits for a child job, and takes none for it when it goes on',
    async run(stage) {
      const { attempt, child, attachment } = await waiting(stage)
      mustBe('`parent_job_id` of the child', child.spec.parentJobId, attempt.jobId)
      await stage.idle()
      mustBe('what another attempt returns meanwhile', jsonOf(await stage.end('echo', 1)), 1)
      child.end({ of: 'the child' })
      mustBe('what the parent returns', jsonOf(await attachment.result(attempt)), {
        of: 'the child',
      })
      mustBe('what it said of its wait', attachment.waiting(attempt), [true, false])
      await stage.idle()
    },
  },
  {
    number: '2.16',
    title:
      'says again on a new stream that a handler waits, and of its child when that has ended meanwhile',
    async run(stage) {
      const { attempt, child, attachment: before } = await waiting(stage)
      stage.scheduler.cable.pull()
      stage.scheduler.cable.mend()
      const attachment = await stage.after(before)
      await awaited('`waiting: true` on the new stream', () => attachment.waiting(attempt)[0])
      await stage.idle()
      child.end('after the break')
      const result = jsonOf(await attachment.result(attempt))
      mustBe('what the parent returns', result, 'after the break')
      await stage.idle()
    },
  },
  {
    number: '2.17',
    title: 'stops a handler that waits for a child job when it is told to',
    async run(stage) {
      const { attempt, attachment } = await waiting(stage)
      const { jobId, attempt: number } = attempt
      const order = { jobId, attempt: number, reason: 'no longer wanted', grace: GRACE }
      attachment.say({ cancels: [order] })
      const { outcome } = await attachment.result(attempt)
      mustBe('how the attempt ends', outcome?.$case, 'canceled')
      await stage.idle()
    },
  },
]
