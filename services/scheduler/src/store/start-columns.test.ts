import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import type { JobId } from '../domain/ids.ts'
import { JobKind } from '../domain/job-kind.ts'
import { Lane } from '../domain/lane.ts'
import type { JobContent, StartCommand, StartOptions } from '../domain/start-command.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { attachmentId } from '../testing/session.ts'
import { startCommand } from '../testing/start-command.ts'
import { createJobStore } from './job-store.ts'

const OPTIONS: Required<StartOptions> = {
  displayName: 'Nightly',
  scope: 's-1',
  resultAddress: 'ost://a/1',
  wantAdditionalResult: true,
  additionalResultAddress: 'ost://a/2',
  cancelWithParent: true,
  childrenPolicy: 'first',
  retry: {
    maxAttempts: 5,
    initialBackoffMs: 500,
    backoffMultiplier: 3,
    backoffMsMax: 60_000,
    jitter: 0.1,
  },
  attemptDeadlineMs: 60_000,
  queueDeadlineMs: 3_600_000,
  totalDeadlineMs: 7_200_000,
  heartbeatDeadlineMs: 5_000,
  tracestate: 'a=b',
  paramsOwned: true,
  privileged: true,
  misfits: ['a'],
  requestedMethod: 'test.asked',
  foreground: 'first',
  homePool: 'gpu',
}

/** Without a parent, which the test makes. */
const CONTENT: {
  readonly [K in keyof Omit<JobContent, 'parentId'>]-?: NonNullable<JobContent[K]>
} = {
  namespace: 'n',
  method: 'test.full',
  owner: 'somebody',
  lane: Lane.work,
  key: 'k',
  params: { address: 'ost://a/3', type: 'text/plain' },
  labels: { color: 'red' },
  traceparent: '00-1-2-03',
  options: OPTIONS,
}

const REST = { kind: JobKind.scheduled, priority: 7, pool: 'gpu', requestId: 'r-1' }

async function setup() {
  const database = await openFreshDatabase({ poolSize: 2 })
  const store = createJobStore(database)
  return {
    store,
    async add(command: StartCommand) {
      const id = v7()
      await store.insert([{ id, command, lane: command.lane, attachmentId: undefined }])
      return id
    },
    async claim({ namespace, method, lane }: JobContent, pool = '') {
      const { jobs } = await store.claim(namespace, [{ method, lane, pool }], [attachmentId()])
      return jobs[0]
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

test('whatever a start says, whoever claims the job and whoever reads it is told', async () => {
  await using it = await setup()
  const { namespace, owner } = CONTENT
  const parentId = await it.add(startCommand({ namespace, owner }))
  const content: JobContent = { ...CONTENT, parentId }
  const id = await it.add(startCommand({ ...content, ...REST }))
  expect(await it.claim(content, REST.pool)).toMatchObject({
    ...content,
    id,
    attempt: 1,
    failures: 0,
  })
  expect(await it.store.readJob(namespace, id as JobId)).toMatchObject({
    ...content,
    ...REST,
    id,
    rootId: parentId,
  })
})

test('a start that says nothing but a method is told as it was', async () => {
  await using it = await setup()
  const command = startCommand({ params: { inline: Buffer.from('{"a":1}'), type: '' } })
  const id = await it.add(command)
  const { namespace, owner, method, lane, key, parentId, params, labels, traceparent, options } =
    command
  const content = { namespace, owner, method, lane, key, parentId, params, labels, traceparent }
  expect(await it.claim(command)).toMatchObject({ ...content, options, id })
  const { kind, priority, requestId } = command
  expect(await it.store.readJob(namespace, id as JobId)).toMatchObject({
    kind,
    priority,
    requestId,
  })
})
