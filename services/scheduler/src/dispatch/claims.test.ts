/** Slots and queued jobs meet; what goes wrong in between gives the slots back (claims.ts). */
import { describe, expect, test } from 'vitest'
import type { AttemptKey, ClaimedJob } from '../domain/held-job.ts'
import { Attachments } from '../executors/attachments.ts'
import type { ClaimStore } from '../ports/attempts.ts'
import { attach, claimedJob, silentLog } from '../testing/attachment.ts'
import { Backlog } from './backlog.ts'
import { createClaims } from './claims.ts'
import { createDeliver } from './deliver.ts'

/** Longer than any test: claims come from wake-ups alone, after the sweep of the first run. */
const NEVER_MS = 3_600_000

async function setup(claim: ClaimStore['claim']) {
  const attachments = new Attachments()
  const backlog = new Backlog({ events: { queueReady: () => {} }, poolsOf: () => [''] })
  const unsent: AttemptKey[] = []
  const errors: unknown[] = []
  const paused = new Set<string>()
  const asked: { methods: string[]; ids: readonly string[] }[] = []
  const claims = createClaims({
    store: {
      claim: (namespace, queues, ids, terms) => {
        asked.push({ methods: [...new Set(queues.map(({ method }) => method))], ids })
        return claim(namespace, queues, ids, terms)
      },
    } as ClaimStore,
    limited: undefined as never,
    attachments,
    admission: {
      pauseOf: (_, method) =>
        paused.has(method) ? { cause: 'paused', pause: undefined } : undefined,
      isExclusive: () => false,
      limitsOf: () => undefined,
    },
    backlog,
    methods: { peek: () => undefined, find: async () => undefined },
    sweepMs: NEVER_MS,
    deliver: createDeliver({ attachments, log: silentLog }),
    pace: { note: () => {} },
    unsent: (attempts) => unsent.push(...attempts),
    failUnreadable: (jobs) => expect(jobs).toEqual([]),
    onError: (error) => errors.push(error),
  })
  // The first run sweeps, over nobody.
  await claims.start()
  claims.wake()
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  const queue = (...methods: string[]) =>
    methods.forEach((method) => void backlog.add({ namespace: 'default', method, lane: 1 }))
  const rest = { attachments, backlog, unsent, errors, paused, asked, queue }
  return { ...rest, [Symbol.asyncDispose]: claims.stop }
}

/** A queue with so many jobs in it. */
function queueOf(count: number) {
  let next = 0
  const claim: ClaimStore['claim'] = async (_, __, ids) => {
    const jobs: ClaimedJob[] = []
    for (const id of ids) if (next < count) jobs.push(claimedJob(`job-${next++}`, id))
    return { jobs, unreadable: [] }
  }
  return claim
}

test('a job that is queued is claimed at once, and slots it leaves over are given back', async () => {
  await using it = await setup(queueOf(1))
  const { attachment } = attach(it.attachments, { slots: 3 })
  it.queue('test.job')
  await expect.poll(() => attachment.running.size).toBe(1)
  expect(attachment.credits(1)).toBe(2)
  expect(it.backlog.has({ namespace: 'default', method: 'test.job', lane: 1, pool: '' })).toBe(
    false,
  )
})

test('free slots of two executors share the work', async () => {
  await using it = await setup(queueOf(4))
  const [one, two] = [attach(it.attachments, { slots: 5 }), attach(it.attachments, { slots: 5 })]
  it.queue('test.job')
  await expect.poll(() => one.attachment.running.size + two.attachment.running.size).toBe(4)
  expect([one.attachment.running.size, two.attachment.running.size]).toEqual([2, 2])
})

test('a queue that holds more than there are slots is remembered for the next free one', async () => {
  await using it = await setup(queueOf(5))
  const { attachment } = attach(it.attachments, { slots: 2 })
  it.queue('test.job')
  await expect.poll(() => attachment.running.size).toBe(2)
  expect(it.backlog.fills(1)).toBe(true)
  attachment.grant(1, 3)
  it.queue('test.job')
  await expect.poll(() => attachment.running.size).toBe(5)
  expect(attachment.credits(1)).toBe(0)
})

test('a claim that fails gives every slot back, and puts nobody in doubt', async () => {
  await using it = await setup(() => Promise.reject(new Error('deadlock detected')))
  const { attachment } = attach(it.attachments, { slots: 3 })
  it.queue('test.job')
  await expect.poll(() => it.errors).toHaveLength(1)
  expect(attachment.credits(1)).toBe(3)
  expect(attachment.doubted).toBe(false)
})

test('where the answer to a claim is lost, the executors it was for are in doubt, and no others', async () => {
  await using it = await setup(() =>
    Promise.reject(new Error('Connection terminated unexpectedly')),
  )
  const { attachment } = attach(it.attachments, { slots: 1 })
  const other = attach(it.attachments, { methods: ['other.job'], slots: 1 })
  it.queue('test.job')
  await expect.poll(() => it.errors).toHaveLength(1)
  expect(attachment.doubted).toBe(true)
  expect(other.attachment.doubted).toBe(false)
})

test('a job claimed for an executor that leaves meanwhile goes back into the queue', async () => {
  const answer = Promise.withResolvers<void>()
  await using it = await setup(async (_, __, ids) => {
    await answer.promise
    return { jobs: ids.map((id) => claimedJob('a', id)), unreadable: [] }
  })
  const { attachment } = attach(it.attachments, { slots: 1 })
  it.queue('test.job')
  await expect.poll(() => it.asked).toHaveLength(1)
  attachment.detach()
  it.attachments.remove(attachment)
  answer.resolve()
  await expect
    .poll(() => it.unsent)
    .toEqual([{ jobId: 'a', attachmentId: attachment.id, attempt: 1 }])
})

test('a wake-up asks for the queues believed to hold jobs, and not for what is paused', async () => {
  await using it = await setup(queueOf(0))
  attach(it.attachments, { methods: ['a', 'b', 'c'], slots: 1 })
  it.paused.add('b')
  it.queue('b', 'c')
  await expect.poll(() => it.asked.map(({ methods }) => methods)).toEqual([['c']])
})

describe('while the answer to a claim is on its way', () => {
  /** Each is answered when it is told to be, with all that it asked for, or so many. */
  async function withAnswers(slots: number, jobsMax = slots) {
    const answers: PromiseWithResolvers<void>[] = []
    const terms: unknown[] = []
    let next = 0
    const it = await setup(async (_, __, ids, asked) => {
      const answer = Promise.withResolvers<void>()
      answers.push(answer)
      terms.push(asked?.underWay)
      await answer.promise
      const taken = ids.slice(0, jobsMax)
      return { jobs: taken.map((id) => claimedJob(`job-${next++}`, id)), unreadable: [] }
    })
    const { attachment } = attach(it.attachments, { slots: slots })
    it.queue('test.job')
    await expect.poll(() => it.asked).toHaveLength(1)
    const free = (count: number) => {
      attachment.grant(1, count)
      it.queue('test.job')
    }
    return { ...it, attachment, answers, terms, free }
  }

  test('slots that become free are claimed beside it where they are many, and told what is on its way', async () => {
    await using it = await withAnswers(750)
    it.free(250)
    await expect.poll(() => it.terms).toEqual([0, 500])
    expect(it.asked.map(({ ids }) => ids.length)).toEqual([500, 500])
    for (const answer of it.answers) answer.resolve()
    await expect.poll(() => it.attachment.running.size).toBe(1_000)
  })

  test('few of all the slots wait for it, and are claimed then, also where it found no more', async () => {
    await using it = await withAnswers(100, 60)
    it.free(200)
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
    expect(it.asked).toHaveLength(1)
    it.answers[0]?.resolve()
    await expect.poll(() => it.asked.map(({ ids }) => ids.length)).toEqual([100, 240])
    it.answers[1]?.resolve()
    await expect.poll(() => it.attachment.running.size).toBe(120)
  })
})
