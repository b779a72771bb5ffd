/** Messages of running attempts, by the thousand. */
import { expect, test } from 'vitest'
import type { MessageRecord } from '../domain/held-job.ts'
import type { AttachmentId } from '../domain/ids.ts'
import { Severity } from '../domain/severity.ts'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor } from '../testing/scripted-executor.ts'
import { recordMessages } from './progress.ts'

test('a message costs the same however many are recorded with it', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  await it.jobs.start({ method: 'test.job' })
  const [{ jobId = '', attempt = 0 } = {}] = await executor.assigned(1)
  const text = 'SELECT attachment_id AS id FROM offstage.jobs'
  const held = await it.database.query<{ id: AttachmentId }>({ name: '', text })
  const attachmentId = held.rows[0]?.id ?? ('' as AttachmentId)
  const message = (number: number): MessageRecord => {
    const key = { jobId, attachmentId, attempt }
    return { ...key, number, severity: Severity.info, text: `m ${number}`, extra: undefined }
  }
  await recordMessages(it.database, [message(1)])
  const messages = Array.from({ length: 2_000 }, (_, index) => message(index + 1))
  const { entriesRead, recorded } = await it.database.transaction(async (tx) => {
    await recordMessages(tx, messages)
    const counts = await tx.query<{ entriesRead: number; recorded: number[] }>({
      name: '',
      text: `
        SELECT pg_stat_get_xact_tuples_returned('offstage.job_messages_pkey'::regclass)::int AS "entriesRead",
          (SELECT ARRAY[count(*), min(sequence), max(sequence)]::int[] FROM offstage.job_messages) AS recorded`,
    })
    return counts.rows[0] ?? { entriesRead: Number.NaN, recorded: [] }
  })
  expect(recorded).toEqual([2_000, 1, 2_000])
  expect(entriesRead).toBeLessThan(10 * messages.length)
})
