import type { AttemptRef } from '@offstage/proto/executor'
import type { Attachment } from './attachment.ts'
import type { Scenario } from './scenario.ts'
import { SHUTTING_DOWN } from './scripted-scheduler.ts'
import { jsonOf, refOf, type Stage } from './stage.ts'
import { awaited, must, mustBe } from './verdict.ts'

const LEASE_MS = 400

function mustGoOn(before: Attachment, after: Attachment, ...running: readonly AttemptRef[]): void {
  mustBe('the session id of the next stream', after.hello.sessionId, before.hello.sessionId)
  const sorted = (refs: readonly AttemptRef[]) => refs.map(({ jobId }) => jobId).toSorted()
  mustBe('`running` of the next hello', sorted(after.hello.running), sorted(running))
}

/** A handler that runs, on a stream that is broken then; and the stream after it. */
async function adopted(stage: Stage, breaks: (attachment: Attachment) => void) {
  const attempt = await stage.holding()
  const before = await stage.attached()
  breaks(before)
  const after = await stage.after(before)
  mustGoOn(before, after, attempt)
  return { attempt, after }
}

async function mustEndWell({ attempt, after }: Awaited<ReturnType<typeof adopted>>) {
  mustBe('what the handler has seen', attempt.notes(), ['begun'])
  attempt.release()
  mustBe('what it returns', jsonOf(await after.result(attempt)), 'released')
}

/** Without a scheduler for longer than the lease. */
async function outlive({ scheduler }: Stage): Promise<void> {
  scheduler.cable.pull()
  const over = performance.now() + 2 * LEASE_MS
  await awaited('the end of the lease', () => performance.now() > over || undefined)
  scheduler.cable.mend()
}

export const streamScenarios: readonly Scenario[] = [
  {
    number: '5.1',
    title:
      'attaches again with the same session when its connection breaks, and its attempts go on',
    async run(stage) {
      const { cable } = stage.scheduler
      const lost = await adopted(stage, () => {
        cable.pull()
        cable.mend()
      })
      await mustEndWell(lost)
    },
  },
  {
    number: '5.2',
    title: 'says the messages and the newest progress of a running attempt again on a new stream',
    async run(stage) {
      const { attempt, after } = await adopted(stage, (before) => before.end(SHUTTING_DOWN))
      const [message] = await awaited('the messages again', () => {
        const messages = after.messages(attempt)
        return messages.length > 0 ? messages : undefined
      })
      mustBe('the message again', [message?.number, message?.text], [1, 'begun'])
      const progress = await awaited(
        'the progress again',
        () => after.progress(attempt)[0]?.progress,
      )
      mustBe('the progress again', progress.percent, 50)
      await mustEndWell({ attempt, after })
    },
  },
  {
    number: '5.3',
    title: 'goes on trying while it is refused, within the lease',
    async run(stage) {
      const { scheduler } = stage
      const refused = scheduler.refused
      const attempt = await stage.holding()
      const before = await stage.attached()
      scheduler.refusal = SHUTTING_DOWN
      before.end(SHUTTING_DOWN)
      await awaited('two tries', () => scheduler.refused >= refused + 2 || undefined)
      scheduler.refusal = undefined
      const after = await stage.after(before)
      mustGoOn(before, after, attempt)
      await mustEndWell({ attempt, after })
    },
  },
  {
    number: '5.4',
    title: 'says results again, with the hello of the next stream, until they are acknowledged',
    async run(stage) {
      const { scheduler } = stage
      scheduler.acknowledges = false
      const attempt = await stage.assign('echo', { kept: true })
      const before = await stage.attached()
      await before.result(attempt)
      before.end(SHUTTING_DOWN)
      const after = await stage.after(before)
      mustGoOn(before, after, attempt)
      mustBe('results beside the hello', after.frames[0]?.results.length, 1)
      mustBe('the result again', jsonOf(await after.result(attempt)), { kept: true })
      scheduler.acknowledges = true
      after.acknowledge(refOf(attempt))
      await stage.settled()
      after.end(SHUTTING_DOWN)
      mustGoOn(after, await stage.after(after))
    },
  },
  {
    number: '5.5',
    title: 'does not begin an attempt again that it runs already, and keeps its credits right',
    async run(stage) {
      const { attempt, after } = await adopted(stage, (before) => before.end(SHUTTING_DOWN))
      const slots = after.slots()
      await awaited('credits', () => after.credits() === slots - 1 || undefined)
      await stage.send(attempt)
      await awaited('the credit again', () => after.credits() === slots - 1 || undefined)
      await stage.settled()
      await mustEndWell({ attempt, after })
      await stage.settled()
      mustBe('how often its end was told', after.results(attempt).length, 1)
      mustBe('how often its handler was called', attempt.notes(), ['begun'])
      await awaited('all credits', () => after.credits() === slots || undefined)
    },
  },
  {
    number: '5.6',
    title: 'does not begin an attempt again whose result is not acknowledged yet',
    async run(stage) {
      const { scheduler } = stage
      scheduler.acknowledges = false
      const attempt = await stage.holding()
      attempt.release()
      const attachment = await stage.attached()
      await attachment.result(attempt)
      const credits = await awaited('credits', () => attachment.credits() || undefined)
      await stage.send(attempt)
      await awaited('the credit again', () => attachment.credits() === credits || undefined)
      attachment.acknowledge(refOf(attempt))
      scheduler.acknowledges = true
      await stage.settled()
      mustBe('how often its handler was called', attempt.notes(), ['begun'])
    },
  },
  {
    number: '5.7',
    title: 'runs another attempt of a job whose earlier one was fenced',
    async run(stage) {
      const first = await stage.holding()
      const attachment = await stage.attached()
      attachment.say({ fenced: [refOf(first)] })
      await first.stopped()
      const next = { ...first, attempt: 2, assignment: { ...first.assignment, attempt: 2 } }
      await stage.send(next)
      await awaited('the second attempt', () => next.notes()[2] === 'begun' || undefined)
      next.release()
      mustBe('what the second returns', jsonOf(await attachment.result(next)), 'released')
      mustBe('how often the end of the first was told', attachment.results(first).length, 0)
    },
  },
  {
    number: '5.8',
    title: 'attaches elsewhere with the same session when the replica says that it goes away',
    async run(stage) {
      const moved = await adopted(stage, (before) => before.say({ drain: true }))
      await mustEndWell(moved)
    },
  },
  {
    number: '5.9',
    title:
      'gives up attempts whose lease has run out, or obeys where it is told that they are fenced',
    async run(stage) {
      const attempt = await stage.holding()
      const before = await stage.reattached(LEASE_MS)
      stage.scheduler.leaseMs = 30_000
      await outlive(stage)
      const after = await stage.after(before)
      if (after.hello.sessionId === before.hello.sessionId) {
        after.say({ fenced: [refOf(attempt)] })
      } else {
        mustBe('`lost_session_id`', after.hello.lostSessionId, before.hello.sessionId)
        mustBe('`running` of a new session', after.hello.running, [])
      }
      await attempt.stopped()
      await stage.settled()
      const isEnded = after.results(attempt).length > 0
      must(!isEnded, 'the end of an attempt was told whose lease had run out')
    },
  },
]
