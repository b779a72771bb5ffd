import { durationFrom } from '@offstage/proto/durations'
import type { Scenario } from './scenario.ts'
import { at, inlineJson, jsonOf, mustBeCanceled, refOf, type StagedAttempt } from './stage.ts'
import { awaited, mustBe } from './verdict.ts'

const PATIENT = durationFrom(20_000)
const SHORT = durationFrom(100)
const reason = 'the user said so'

export const stoppingScenarios: readonly Scenario[] = [
  {
    number: '4.1',
    title: 'tells the handler of a cancel, and reports it as canceled',
    async run(stage) {
      const attempt = await stage.holding()
      const attachment = await stage.attached()
      attachment.say({ cancels: [{ ...refOf(attempt), reason, grace: PATIENT }] })
      mustBeCanceled(await attachment.result(attempt), { neverStarted: false })
      mustBe('what the handler saw', attempt.notes(), ['begun', 'stopped'])
    },
  },
  {
    number: '4.2',
    title: 'calls no handler that is canceled while its parameters are still being read',
    async run(stage) {
      const read = Promise.withResolvers<void>()
      stage.storage.held = read.promise
      try {
        const attempt = stage.attempt('hold')
        const address = stage.storage.keep(inlineJson(attempt.assignment.params))
        const params = at(address)
        const attachment = await stage.send({
          ...attempt,
          assignment: { ...attempt.assignment, params },
        })
        await awaited('a read of the parameters', () => stage.storage.callers.get(address))
        attachment.say({ cancels: [{ ...refOf(attempt), reason, grace: PATIENT }] })
        mustBeCanceled(await attachment.result(attempt), { neverStarted: true })
        read.resolve()
        await stage.settled()
        mustBe('what the handler did', attempt.notes(), [])
      } finally {
        read.resolve()
        stage.storage.held = undefined
      }
    },
  },
  {
    number: '4.3',
    title: 'says of an attempt canceled with its assignment whether the handler was called',
    async run(stage) {
      const attempt = stage.attempt('hold')
      const attachment = await stage.attached()
      attachment.say({
        assignments: [attempt.assignment],
        cancels: [{ ...refOf(attempt), reason, grace: PATIENT }],
      })
      const result = await attachment.result(attempt)
      await stage.settled()
      mustBeCanceled(result, { neverStarted: attempt.notes().length === 0 })
    },
  },
  {
    number: '4.4',
    title: 'answers the cancel of an attempt it does not have with canceled, at once',
    async run(stage) {
      const attempt = stage.attempt('hold')
      const attachment = await stage.attached()
      attachment.say({ cancels: [{ ...refOf(attempt), reason, grace: PATIENT }] })
      const { outcome } = await attachment.result(attempt)
      mustBe('the end of an attempt it does not have', outcome?.$case, 'canceled')
    },
  },
  {
    number: '4.5',
    title: 'tells the handler once of a cancel that comes twice, and reports one end',
    async run(stage) {
      const attempt = await stage.holding()
      const attachment = await stage.attached()
      const order = { ...refOf(attempt), reason, grace: PATIENT }
      attachment.say({ cancels: [order, order] })
      attachment.say({ cancels: [order] })
      mustBeCanceled(await attachment.result(attempt), { neverStarted: false })
      await stage.settled()
      mustBe('what the handler saw', attempt.notes(), ['begun', 'stopped'])
      mustBe('how often the end was told', attachment.results(attempt).length, 1)
    },
  },
  {
    number: '4.6',
    title:
      'reports a handler that does not listen as canceled once the grace is over, and says no more of it',
    async run(stage) {
      const attempt = await stage.holding('deaf')
      const attachment = await stage.attached()
      attachment.say({ cancels: [{ ...refOf(attempt), reason, grace: SHORT }] })
      mustBeCanceled(await attachment.result(attempt), { neverStarted: false })
      attempt.release()
      await stage.settled()
      mustBe('how often the end was told', attachment.results(attempt).length, 1)
    },
  },
  {
    number: '4.7',
    title: 'reports the result of a handler that returns in spite of a cancel',
    async run(stage) {
      const attempt = await stage.holding('deaf')
      const attachment = await stage.attached()
      attachment.say({ cancels: [{ ...refOf(attempt), reason, grace: PATIENT }] })
      await stage.settled()
      attempt.release()
      mustBe('what it returns', jsonOf(await attachment.result(attempt)), 'released')
    },
  },
  {
    number: '4.8',
    title: 'stops an attempt that is fenced, says nothing more of it, and gives the slot back',
    async run(stage) {
      const attachment = await stage.idle()
      const attempt = await stage.holding()
      attachment.say({ fenced: [refOf(attempt)] })
      await attempt.stopped()
      await stage.idle()
      await stage.settled()
      mustBe('how often its end was told', attachment.results(attempt).length, 0)
    },
  },
  {
    number: '4.9',
    title:
      'tells a handler why it is stopped: a cancel with its reason, a deadline, a lost attempt',
    async run(stage) {
      const attachment = await stage.attached()
      const why = async (attempt: StagedAttempt) =>
        awaited('why the handler is stopped', () => attempt.notes()[1])
      const canceled = await stage.holding('why')
      attachment.say({ cancels: [{ ...refOf(canceled), reason, grace: PATIENT }] })
      mustBe('why a canceled one is', await why(canceled), `JOB_CANCELED ${reason}`)
      const fenced = await stage.holding('why')
      attachment.say({ fenced: [refOf(fenced)] })
      mustBe('why a fenced one is', await why(fenced), 'ATTEMPT_LOST')
      const late = await stage.holding('why', { attemptDeadline: durationFrom(300) })
      mustBe('why a late one is', await why(late), 'ATTEMPT_DEADLINE_EXCEEDED')
      await attachment.result(late)
    },
  },
]
