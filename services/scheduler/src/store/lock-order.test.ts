/** Statements that meet on the same rows, in frames whose order is the executors', wait for each other and never in a circle. */

import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import type { AttachmentId } from '../domain/ids.ts'
import { JobState } from '../domain/job-state.ts'
import { Lane } from '../domain/lane.ts'
import type { JobStore } from '../ports/stores.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { attachmentId, session } from '../testing/session.ts'
import { startCommand } from '../testing/start-command.ts'
import { createAttachmentStore } from './attachments.ts'
import { createJobStore } from './job-store.ts'

const COUNT = 200
const ROUNDS = 10

/** As in use: the planner sees far more jobs than run. */
const HISTORY = `
  INSERT INTO offstage.jobs (id, namespace, method, owner, state, lane, kind, priority, attempt)
  SELECT gen_random_uuid(), 'default', 'test.job', 'dev', 5, 1, 1, 0, 1 FROM generate_series(1, 50000)`

async function runTree(store: JobStore, attachmentId: AttachmentId) {
  const add = async (parentId: string, count: number) => {
    const jobs = Array.from({ length: count }, () => ({
      id: v7(),
      command: startCommand({ parentId }),
      lane: Lane.inline,
      attachmentId,
    }))
    await store.insert(jobs)
    return jobs.map(({ id }) => ({ jobId: id, attachmentId, attempt: 1 }))
  }
  const [root] = await add('', 1)
  const jobId = root?.jobId ?? ''
  return { jobId, children: await add(jobId, COUNT) }
}

test('ends, requeues and a cascade of the same jobs never deadlock, whatever their order', async () => {
  await using database = await openFreshDatabase({ poolSize: 8 })
  for (const text of [HISTORY, 'VACUUM ANALYZE offstage.jobs']) {
    await database.query({ name: '', text })
  }
  const store = createJobStore(database)
  const attachments = createAttachmentStore(database)
  const own = session()
  for (let round = 0; round < ROUNDS; round++) {
    const id = attachmentId()
    const attachment = {
      id,
      ...own,
      lostSessionKey: undefined,
      namespace: 'default',
      name: 'x',
      scheduler: 'x',
      software: '',
      labels: {},
      lanes: [],
      methods: [],
      pools: [],
      schemas: {},
    }
    await attachments.attach(attachment, [])
    const { jobId, children } = await runTree(store, id)
    const there = children.toSorted(() => Math.random() - 0.5)
    const back = there.toReversed()
    const none = { result: undefined, additionalResult: undefined, error: undefined, backoffMs: 0 }
    const running = there.filter((_, index) => index % 2 === 0)
    const by = { user: 'dev', roles: ['admin'], peer: '127.0.0.1:1', call: 'a.B' }
    const limits = { reason: '', graceMs: 0, leaseMs: 0 }
    const cancel = { namespace: 'default', owner: undefined, by, ...limits }
    await Promise.all([
      store.end(there.map((key) => ({ ...key, state: JobState.failed, ...none }))),
      store.cancel({ ...cancel, jobId, cascade: true }),
      store.requeue(back),
      store.succeed(back.map((key) => ({ ...key, result: undefined }))),
      store.setWaiting(there, true),
      attachments.attach({ ...attachment, id: attachmentId() }, running),
    ])
    const standings = await store.readStandings(
      children.map((child) => ({ id: child.jobId, namespace: 'default', owner: undefined })),
    )
    expect(standings).toHaveLength(COUNT)
  }
})
