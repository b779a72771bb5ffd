import { Completion, Job, JobMessage } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import { JobKind } from '../domain/job-kind.ts'
import { JobState } from '../domain/job-state.ts'
import { Lane } from '../domain/lane.ts'
import { Severity } from '../domain/severity.ts'
import { completionBytes, jobBytes, messageBytes } from '../domain/wire-size.ts'
import { completionTo, jobTo, messageTo } from './job-mapping.ts'

const error = {
  brief: '€'.repeat(1_000),
  detail: 'ä€x'.repeat(3_000),
  reason: 'R',
  retryable: true,
}
const completion = {
  state: JobState.succeeded,
  result: { inline: Buffer.alloc(60_000, 'x'), type: '' },
  additionalResult: { address: 'a'.repeat(200), type: 'text/plain' },
  error,
  cancelOutcome: CancelOutcome.stopped,
  finishTime: new Date(),
}

test.for([
  ['numbers', { list: Array.from({ length: 8_000 }, () => 1) }],
  ['empty lists', { list: Array.from({ length: 5_000 }, () => []) }],
  ['empty objects', { list: Array.from({ length: 5_000 }, () => ({})) }],
  ['empty texts', { list: Array.from({ length: 5_000 }, () => '') }],
  ['small objects', { list: Array.from({ length: 2_000 }, () => ({ a: 1 })) }],
  ['other scripts', { text: '€'.repeat(5_000) }],
] as const)('a message takes no more than was thought, with an extra of %s', ([, extra]) => {
  const message = {
    sequence: 2 ** 31 - 1,
    recordTime: new Date(),
    severity: Severity.error,
    text: '€'.repeat(4_000),
  }
  const withExtra = { ...message, extra }
  const encoded = JobMessage.encode(messageTo(withExtra) as JobMessage).finish().length
  expect(encoded).toBeLessThanOrEqual(messageBytes(withExtra))
})

test('a completion and a job take no more than was thought', () => {
  const wire = completionTo(completion) as Completion
  expect(Completion.encode(wire).finish().length).toBeLessThanOrEqual(completionBytes(completion))
  const id = '0'.repeat(36)
  const job = {
    id,
    namespace: 'n'.repeat(63),
    owner: '€'.repeat(200),
    state: JobState.failed,
    completion,
    method: 'm'.repeat(200),
    revision: 2 ** 31,
    pinned: true,
    kind: JobKind.program,
    key: '€'.repeat(200),
    requestId: '€'.repeat(100),
    parentId: id,
    rootId: id,
    lane: Lane.inline,
    pool: 'p'.repeat(63),
    priority: -1_000,
    labels: Object.fromEntries(
      Array.from({ length: 32 }, (_, n) => [`${n}`.padEnd(63, '€'), '€'.repeat(255)]),
    ),
    attempt: 1_000,
    crashCount: 5,
    createTime: new Date(),
    dueTime: new Date(),
    startTime: new Date(),
    sessionId: id,
    cancelReason: '',
    cancelRequested: true,
    traceparent: '0'.repeat(55),
    options: {
      displayName: '€'.repeat(200),
      queueDeadlineMs: 1.5,
      attemptDeadlineMs: 1e9,
      totalDeadlineMs: 1e9,
      heartbeatDeadlineMs: 1e9,
    },
    params: { inline: Buffer.alloc(60_000, 'x'), type: 'text/plain' },
    lastError: error,
    attempts: Array.from({ length: 100 }, (_, index) => ({
      jobId: id,
      attempt: 2 ** 31 - 1 - index,
      sessionId: id,
      executorName: '€'.repeat(200),
      lane: Lane.work,
      startTime: new Date(),
      finishTime: new Date(),
      outcome: JobState.failed,
      errorBrief: '€'.repeat(1_000),
      errorReason: '€'.repeat(200),
    })),
    heartbeatData: { inline: Buffer.alloc(60_000), type: 'text/plain' },
    progress: { percent: 1, text: '€'.repeat(1_000), extra: { n: [1, 2, 3] }, revision: 1 },
    isAttached: true,
    unreadable: '€'.repeat(1_000),
  }
  for (const view of ['basic', 'full'] as const) {
    const bytes = Job.encode(jobTo(job, view)).finish().length
    expect(bytes).toBeLessThanOrEqual(jobBytes(job, view))
  }
})
