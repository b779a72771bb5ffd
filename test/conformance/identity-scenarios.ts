/** What an executor does that was given a token. */
import { Refusal } from '@offstage/kit/grpc'
import type { AttemptRef } from '@offstage/proto/executor'
import type { Scenario } from './scenario.ts'
import { tokenOf } from './scripted-scheduler.ts'
import { addressOf, at, jsonOf, NAMESPACE, type Stage } from './stage.ts'
import { awaited, must, mustBe } from './verdict.ts'

const LARGE = { bytes: 70_000 }
const SKEW_MS = 3_600_000
/** An executor that asks oftener for one attempt than this asks without end. */
const ASKED_MAX = 10

function asked({ scheduler }: Stage, { jobId }: AttemptRef) {
  return scheduler.tokenRequests.filter((request) => request.jobId === jobId)
}

/** Runs an attempt whose result is large while the scheduler's clock is wrong by so much. */
async function runsSkewed(stage: Stage, skewMs: number): Promise<void> {
  const { tokenLifeMs } = stage.scheduler
  stage.scheduler.tokenLifeMs = tokenLifeMs + skewMs
  try {
    const attempt = await stage.assign('large', LARGE)
    const { address } = addressOf(await (await stage.attached()).result(attempt))
    const bearer = stage.storage.values.get(address)?.caller.bearer
    mustBe('who stored the result', bearer, `Bearer ${tokenOf(attempt)}`)
    const count = asked(stage, attempt).length
    must(count <= ASKED_MAX, `it asked ${count} times for the token of one attempt`)
  } finally {
    stage.scheduler.tokenLifeMs = tokenLifeMs
  }
}

export const identityScenarios: readonly Scenario[] = [
  {
    number: '7.1',
    title: 'attaches with the token it was given',
    async run(stage) {
      const { bearer } = await stage.attached()
      mustBe('`authorization` of Attach', bearer, `Bearer ${stage.token}`)
    },
  },
  {
    number: '7.2',
    title: 'asks for no token where a handler needs none',
    async run(stage) {
      const attempt = await stage.assign('echo', { plain: true })
      await (await stage.attached()).result(attempt)
      mustBe('tokens asked for', asked(stage, attempt).length, 0)
    },
  },
  {
    number: '7.3',
    title: 'stores results and reads parameters with the token of the attempt',
    async run(stage) {
      const from = stage.storage.keep({ from: 'storage' })
      const params = at(from)
      const attempt = await stage.assign('echo', undefined, { params })
      const attachment = await stage.attached()
      mustBe('what it returns', jsonOf(await attachment.result(attempt)), { from: 'storage' })
      mustBe(
        'who read the parameters',
        stage.storage.callers.get(from)?.bearer,
        `Bearer ${tokenOf(attempt)}`,
      )
      await runsSkewed(stage, 0)
      for (const { by, sessionId, namespace } of stage.scheduler.tokenRequests) {
        mustBe('who asked for the token', by, `Bearer ${stage.token}`)
        mustBe('`session_id` asked with', sessionId, attachment.hello.sessionId)
        mustBe('`namespace` asked with', namespace, NAMESPACE)
      }
    },
  },
  {
    number: '7.4',
    title: 'runs attempts beside a scheduler whose clock is two hours behind',
    run: (stage) => runsSkewed(stage, -2 * SKEW_MS),
  },
  {
    number: '7.5',
    title: 'runs attempts beside a scheduler whose clock is two hours ahead',
    run: (stage) => runsSkewed(stage, 2 * SKEW_MS),
  },
  {
    number: '7.6',
    title: 'stops an attempt whose token it is refused because it does not hold it',
    async run(stage) {
      const { scheduler } = stage
      const attachment = await stage.attached()
      const reason = 'ATTEMPT_NOT_HELD'
      scheduler.tokenRefusal = new Refusal({ reason, message: 'the session does not run it' })
      try {
        const attempt = await stage.assign('large', LARGE)
        await awaited('a question for the token', () => asked(stage, attempt)[0])
        attachment.say({ fenced: [{ jobId: attempt.jobId, attempt: attempt.attempt }] })
        await stage.settled()
        const [result] = attachment.results(attempt)
        must(result?.outcome?.$case !== 'succeeded', 'an attempt succeeded that it does not hold')
      } finally {
        scheduler.tokenRefusal = undefined
      }
    },
  },
]
