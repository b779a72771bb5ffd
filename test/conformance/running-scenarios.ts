import { durationFrom } from '@offstage/proto/durations'
import type { Scenario } from './scenario.ts'
import { failureOf, inlineJson, jsonOf, type Stage } from './stage.ts'
import { awaited, must, mustBe } from './verdict.ts'

const STEPS = 5
const AT_ONCE = 4

async function passes(
  stage: Stage,
  deadline: 'attemptDeadline' | 'totalDeadline' | 'heartbeatDeadline',
) {
  const attempt = await stage.assign('hold', undefined, { [deadline]: durationFrom(200) })
  const failure = failureOf(await (await stage.attached()).result(attempt))
  // On a busy machine it may be over before the handler is called.
  if (attempt.notes().length > 0) await attempt.stopped()
  return { reason: failure.reason, retryable: failure.retryable }
}

export const runningScenarios: readonly Scenario[] = [
  {
    number: '2.1',
    title: 'runs an attempt, tells its result and gives the slot back',
    async run(stage) {
      await stage.idle()
      const params = { text: 'für Ada', list: [1, null, { deep: true }] }
      mustBe('what conformance.echo returns', jsonOf(await stage.end('echo', params)), params)
      await stage.idle()
    },
  },
  {
    number: '2.2',
    title: 'takes no parameters for {}',
    async run(stage) {
      mustBe('what conformance.echo returns', jsonOf(await stage.end('echo')), {})
    },
  },
  {
    number: '2.3',
    title: 'ends a procedure with a result that has no source',
    async run(stage) {
      mustBe('the result of conformance.nothing', jsonOf(await stage.end('nothing')), undefined)
    },
  },
  {
    number: '2.4',
    title: 'fails an attempt whose parameters do not fit, naming the field, for good',
    async run(stage) {
      mustBe('a greeting', jsonOf(await stage.end('greet', { name: 'Ada' })), 'Hello Ada')
      for (const params of [{}, { name: 7 }]) {
        const { reason, retryable, brief } = failureOf(await stage.end('greet', params))
        mustBe('`reason` and `retryable`', [reason, retryable], ['PARAMS_INVALID', false])
        must(brief.includes('name'), `the brief must name the field \`name\`: "${brief}"`)
      }
    },
  },
  {
    number: '2.5',
    title: 'fails an attempt of a method it does not have, for good',
    async run(stage) {
      const { reason, retryable } = failureOf(await stage.end('no-such-method', {}))
      mustBe('`reason` and `retryable`', [reason, retryable], ['METHOD_UNKNOWN', false])
    },
  },
  {
    number: '2.6',
    title: 'reports progress with growing revisions, the last one before the result',
    async run(stage) {
      const attempt = await stage.assign('report', { steps: STEPS })
      const attachment = await stage.attached()
      mustBe('what conformance.report returns', jsonOf(await attachment.result(attempt)), STEPS)
      const reports = attachment.progress(attempt).flatMap(({ progress }) => progress ?? [])
      const revisions = reports.map(({ revision }) => revision)
      must(revisions.length > 0, 'no progress came')
      const rises = revisions.every((each, index) => each > (revisions[index - 1] ?? 0))
      must(rises, `revisions must grow from 1 on, but are ${revisions}`)
      mustBe('the last percentage', reports.at(-1)?.percent, 100)
    },
  },
  {
    number: '2.7',
    title: 'sends all messages of an attempt in order, numbered from 1, before the result',
    async run(stage) {
      const attempt = await stage.assign('report', { steps: STEPS })
      const attachment = await stage.attached()
      await attachment.result(attempt)
      const told = attachment.messages(attempt).map(({ number, text }) => `${number} ${text}`)
      const steps = Array.from({ length: STEPS }, (_, index) => index + 1)
      mustBe(
        'the messages',
        told,
        steps.map((step) => `${step} step ${step}`),
      )
    },
  },
  {
    number: '2.8',
    title: 'tells of a failure what happened, and whether a retry may help',
    async run(stage) {
      for (const retryable of [true, false]) {
        const failure = failureOf(await stage.end('fail', { retryable }))
        mustBe('`retryable`', failure.retryable, retryable)
        mustBe('the brief', failure.brief, 'It was asked to fail.')
        must(failure.reason !== '', 'a failure must have a reason')
        must(failure.detail !== '', 'a failure must have a detail, such as the stack')
      }
    },
  },
  {
    number: '2.9',
    title: 'passes heartbeat data on to the next attempt',
    async run(stage) {
      const attachment = await stage.attached()
      const first = await stage.assign('remember', {})
      mustBe('what the first attempt was given', jsonOf(await attachment.result(first)), 0)
      const datas = () =>
        attachment.progress(first).flatMap(({ heartbeatData }) => heartbeatData ?? [])
      await awaited('heartbeat data', () => datas()[0])
      mustBe('the heartbeat data', inlineJson(datas().at(-1)), { seen: 1 })
      const more = { attempt: 2, heartbeatData: datas().at(-1) }
      const second = { ...stage.attempt('remember', {}, more), attempt: 2 }
      await stage.send(second)
      mustBe('what the second attempt was given', jsonOf(await attachment.result(second)), 1)
    },
  },
  {
    number: '2.10',
    title: 'runs as many attempts at once as it has given credits for',
    async run(stage) {
      const attempts = Array.from({ length: AT_ONCE }, () => stage.attempt('hold'))
      const attachment = await stage.send(...attempts)
      await Promise.all(attempts.map((attempt) => attempt.begun()))
      for (const attempt of attempts) attempt.release()
      for (const attempt of attempts) {
        mustBe(
          'what a released handler returns',
          jsonOf(await attachment.result(attempt)),
          'released',
        )
      }
    },
  },
  {
    number: '2.11',
    title: 'stops a handler past the deadline of its attempt, which may be repeated',
    async run(stage) {
      const expected = { reason: 'ATTEMPT_DEADLINE_EXCEEDED', retryable: true }
      mustBe('the failure', await passes(stage, 'attemptDeadline'), expected)
    },
  },
  {
    number: '2.12',
    title: 'stops a handler past the deadline of its job, for good',
    async run(stage) {
      const expected = { reason: 'TOTAL_DEADLINE_EXCEEDED', retryable: false }
      mustBe('the failure', await passes(stage, 'totalDeadline'), expected)
    },
  },
  {
    number: '2.13',
    title: 'stops a handler that is silent for longer than the heartbeat deadline',
    async run(stage) {
      const expected = { reason: 'HEARTBEAT_DEADLINE_EXCEEDED', retryable: true }
      mustBe('the failure', await passes(stage, 'heartbeatDeadline'), expected)
    },
  },
  {
    number: '2.14',
    title: 'tells of a failure whose text is too long, or no Unicode, as well as it can be told',
    async run(stage) {
      const briefs = { long: `a${'é'.repeat(2_000)}`, half: 'half \ud800 a character' }
      const told = async (brief: string) =>
        failureOf(await stage.end('fail', { retryable: false, brief })).brief
      const long = await told(briefs.long)
      const isCut = /^aé{100,}/.test(long) && !long.includes('\ufffd')
      must(isCut, 'a long brief must be cut between two characters')
      const half = await told(briefs.half)
      must(/^half .+ a character$/.test(half), `half a character must be replaced, not ${half}`)
    },
  },
]
