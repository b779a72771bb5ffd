import { expect, test } from 'vitest'
import type { AttemptKey } from '../domain/held-job.ts'
import { attach, runningJob } from '../testing/attachment.ts'
import { Attachments } from './attachments.ts'
import { createFindStrays } from './strays.ts'

function setup() {
  const attachments = new Attachments()
  const it = attach(attachments)
  const requeued: AttemptKey[] = []
  const held: AttemptKey[] = []
  let asked = 0
  const look = createFindStrays({
    sweeps: {
      heldBy: async () => {
        asked += 1
        return [...held]
      },
    },
    attachments,
    requeue: (attempts) => requeued.push(...attempts),
  })
  const key = (jobId: string) => ({ jobId, attachmentId: it.attachment.id, attempt: 1 })
  const fenced = () => it.frames.flatMap((frame) => frame.fenced.map(({ jobId }) => jobId))
  const turn = () => new Promise(setImmediate)
  return { ...it, attachments, look, held, requeued, key, fenced, turn, asked: () => asked }
}

test('what the database holds and nobody has sent goes back into the queue at the second look', async () => {
  const it = setup()
  it.held.push(it.key('a'))
  await it.look()
  expect(it.asked()).toBe(0)
  it.attachments.doubt()
  await it.look()
  expect(it.requeued).toEqual([])
  await it.look()
  expect(it.requeued).toEqual([it.key('a')])
})

test('what runs while the database does not hold it is fenced at the second look, and nothing else', async () => {
  const it = setup()
  for (const id of ['kept', 'forgotten', 'late']) it.attachment.assign(runningJob(id))
  it.held.push(it.key('kept'))
  it.attachments.doubt()
  await it.look()
  // Its claim was answered while the database was being asked.
  it.held.push(it.key('late'))
  await it.look()
  await it.turn()
  expect(it.fenced()).toEqual(['forgotten'])
  expect([...it.attachment.running.keys()]).toEqual(['kept', 'late'])
  expect(it.requeued).toEqual([])
})
