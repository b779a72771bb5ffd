/** What executors report is recorded in turns (reports.ts). */
import { expect, test } from 'vitest'
import type { MessageRecord } from '../domain/held-job.ts'
import { Severity } from '../domain/severity.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { ReportStore } from '../ports/attempts.ts'
import { attach, runningJob } from '../testing/attachment.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { createReports } from './reports.ts'

test('an executor that has much to say holds up another for no longer than a statement', async () => {
  const statements: string[][] = []
  const recordMessages = async (records: readonly MessageRecord[]) => {
    statements.push(records.map(({ text }) => text))
  }
  const reports = createReports({
    store: { recordMessages } as ReportStore,
    feed: { tell() {} } as unknown as JobFeed,
    events: { job() {} } as unknown as JobEvents,
    onError(error) {
      throw error
    },
  })
  const said = ['flood', 'other'].map((who) => {
    const { attachment } = attach(undefined)
    attachment.assign(runningJob(who))
    return (count: number) => {
      const message = { jobId: who, attempt: 1, severity: Severity.info, extra: undefined }
      const messages = Array.from({ length: count }, (_, at) => {
        return { ...message, number: at + 1, text: `${who} ${at + 1}` }
      })
      return reports.messages(attachment, messages)
    }
  })
  await Promise.all(said.map((say, index) => say(index === 0 ? 5_500 : 1)))
  const other = statements.findIndex((texts) => texts.includes('other 1'))
  expect(other).toBeLessThanOrEqual(1)
  expect(Math.max(...statements.map(({ length }) => length))).toBeLessThanOrEqual(1_000)
  const inOrder = Array.from({ length: 5_500 }, (_, at) => `flood ${at + 1}`)
  expect(statements.flat().filter((text) => text !== 'other 1')).toEqual(inOrder)
})

test('whether an attempt waits is not recorded where its end comes next', async () => {
  const recorded: unknown[] = []
  const reports = createReports({
    store: {
      async setWaiting(attempts, waiting) {
        recorded.push([attempts.map(({ jobId }) => jobId), waiting])
      },
    } as ReportStore,
    feed: { tell() {} } as unknown as JobFeed,
    events: { job() {} } as unknown as JobEvents,
    onError(error) {
      throw error
    },
  })
  const { attachment } = attach(undefined)
  for (const id of ['ends', 'goes on', 'begins anew']) attachment.assign(runningJob(id))
  const resumed = ['ends', 'goes on', 'begins anew'].map((jobId) => {
    return { jobId, attempt: 1, waiting: false }
  })
  const ended = [
    { jobId: 'ends', attempt: 1 },
    { jobId: 'begins anew', attempt: 0 },
  ]
  await reports.waiting(attachment, resumed, ended)
  expect(recorded).toEqual([[['goes on', 'begins anew'], false]])
})
