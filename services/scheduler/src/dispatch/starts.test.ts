/** Nothing that fails after a commit keeps a job from its executor. */
import { randomUUID } from 'node:crypto'
import { createInProcessBus } from '@offstage/kit/bus'
import { createLogger } from '@offstage/kit/telemetry'
import { expect, test } from 'vitest'
import type { NewJob } from '../domain/held-job.ts'
import { JobState } from '../domain/job-state.ts'
import { createJobEvents } from '../events/job-events.ts'
import { Attachment } from '../executors/attachment.ts'
import { Attachments } from '../executors/attachments.ts'
import type { Outgoing } from '../executors/outgoing-frames.ts'
import type { StartStore } from '../ports/starts.ts'
import { attachmentId, session } from '../testing/session.ts'
import { startCommand } from '../testing/start-command.ts'
import { Backlog } from './backlog.ts'
import { createDeliver } from './deliver.ts'
import { createStarts } from './starts.ts'

const method = { name: 'test.job', lane: 1 } as ConstructorParameters<
  typeof Attachment
>[0]['methods'][number]

async function setup(store: Partial<StartStore> = {}) {
  const frames: Outgoing[] = []
  const errors: unknown[] = []
  const attachments = new Attachments()
  const attachment = new Attachment({
    id: attachmentId(),
    ...session(),
    namespace: 'default',
    name: 'test',
    methods: [method],
    lanes: [{ lane: 1, slots: 100 }],
    pools: [''],
    send: (frame) => frames.push(frame),
    end: () => {},
  })
  attachments.add(attachment)
  attachment.grant(1, 100)
  const bus = createInProcessBus()
  const insert = async (jobs: readonly NewJob[]) =>
    new Map(jobs.map(({ id }) => [id, JobState.running] as const))
  const log = createLogger({ name: 'test', level: 'silent' })
  const starts = createStarts({
    store: { insert, ...store } as StartStore,
    attachments,
    admission: {
      epoch: 1,
      pauseOf: () => undefined,
      isExclusive: () => false,
      limitsOf: () => undefined,
      refresh: () => {},
    },
    backlog: new Backlog({ events: createJobEvents(bus), poolsOf: () => [''] }),
    limited: { hasLeftQueued: () => false },
    newId: randomUUID,
    deliver: createDeliver({ attachments, log }),
    unsent: () => {},
    onError: (error) => errors.push(error),
  })
  const sent = () => frames.flatMap(({ assignments }) => assignments.map(({ id }) => id))
  return { starts, sent, errors, [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose]() }
}

test('a start nobody can follow is sent and answered all the same, and so is the rest of its batch', async () => {
  await using it = await setup()
  const onStarted = () => {
    throw new Error('no room')
  }
  const commands = [startCommand(), startCommand(), startCommand()]
  const outcomes = await it.starts.add(commands.map((command) => ({ command, onStarted })))
  const ids = outcomes.map((outcome) => (outcome.kind === 'started' ? outcome.id : undefined))
  await new Promise(setImmediate)
  expect(it.sent()).toEqual(ids)
  expect(it.errors).toHaveLength(3)
})

test('a conflict the database cannot explain is refused by itself', async () => {
  await using it = await setup({
    insert: async ([, ...jobs]) => new Map(jobs.map(({ id }) => [id, JobState.running] as const)),
    findExisting: () => Promise.reject(new Error('Connection terminated unexpectedly')),
  })
  const outcomes = await it.starts.add([{ command: startCommand() }, { command: startCommand() }])
  expect(outcomes.map(({ kind }) => kind)).toEqual(['refused', 'started'])
  await new Promise(setImmediate)
  expect(it.sent()).toHaveLength(1)
})

test('however many starts of a batch meet others, what they meet is looked up and they are recorded by one statement each', async () => {
  const calls: string[] = []
  const recorded = (jobs: readonly NewJob[], state: JobState) =>
    new Map(jobs.map(({ id }) => [id, state] as const))
  let inserts = 0
  await using it = await setup({
    async insert(jobs) {
      calls.push('insert')
      return inserts++ === 0 ? new Map() : recorded(jobs, JobState.queued)
    },
    async findExisting(starts) {
      calls.push('findExisting')
      const standing = { id: 'x', namespace: 'default', owner: 'dev', state: JobState.running }
      const holder = { ...standing, completion: undefined, method: 'test.job', key: 'k' }
      const existing = { ...holder, params: { type: '' }, ageMs: 1, by: 'key' as const }
      return starts.map(({ command }) => (command.key === '' ? undefined : existing))
    },
    async parentStates(starts) {
      calls.push('parentStates')
      return starts.map(({ parentId }) => (parentId === 'there' ? JobState.running : undefined))
    },
    async insertBehindKey(jobs) {
      calls.push('insertBehindKey')
      return recorded(jobs, JobState.scheduled)
    },
  })
  const kinds = [
    { key: 'k' },
    { key: 'k', keyConflict: 'queue-behind' },
    { key: 'k', keyConflict: 'return-running' },
    { parentId: 'there' },
    { parentId: 'gone' },
  ] as const
  const commands = Array.from({ length: 50 }, (_, n) => startCommand(kinds[n % kinds.length]))
  const outcomes = await it.starts.add(commands.map((command) => ({ command })))
  const told = ['refused', 'started', 'existing', 'started', 'refused']
  expect(outcomes.map(({ kind }) => kind)).toEqual(commands.map((_, n) => told[n % told.length]))
  expect(calls).toEqual(['insert', 'findExisting', 'parentStates', 'insert', 'insertBehindKey'])
})
