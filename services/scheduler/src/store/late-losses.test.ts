/** Who is charged with what a session lost, where starts and sweeps come in the midst of its return. */
import type { Database, Queryable, Statement } from '@offstage/kit/database'
import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import { Lane } from '../domain/lane.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { attachmentId, session } from '../testing/session.ts'
import { startCommand } from '../testing/start-command.ts'
import { createAttachmentStore } from './attachments.ts'
import { createJobStore } from './job-store.ts'
import { createLeaseStore } from './leases.ts'

const LEASE_ROUNDS = 3
const CRASH_LIMIT = 1_000
const TOLD = {
  ...{ lostSessionKey: undefined, namespace: 'default', name: 'x', scheduler: 'x', software: '' },
  ...{ labels: {}, lanes: [], methods: [], pools: [], schemas: {} },
}

/** The database, in whose transactions something happens before the first statement of this name. */
function before(database: Database, name: string, happen: () => Promise<void>): Database {
  let happened = false
  const interrupted = (tx: Queryable): Queryable => ({
    async query<Row>(statement: Statement, values?: readonly unknown[]) {
      if (statement.name === name && !happened) {
        happened = true
        await happen()
      }
      return tx.query<Row>(statement, values)
    },
  })
  return {
    ...database,
    async transaction(work) {
      const done = await database.transaction((tx) => work(interrupted(tx)))
      expect(happened, `a transaction has the statement ${name}`).toBe(true)
      return done
    },
  }
}

test.each([
  'record_attachment',
  'lock_held_attempts',
  'end_older_attachments',
  'take_charge_back',
  'adopt_attempts',
  'requeue_unknown_attempts',
])(
  'a session that attaches again is charged with nothing, whatever is started for its old stream and swept up before %s',
  async (name) => {
    await using database = await openFreshDatabase({ poolSize: 3 })
    const [jobs, leases] = [createJobStore(database), createLeaseStore(database)]
    const executor = session()
    const lost = attachmentId()
    await createAttachmentStore(database).attach({ ...TOLD, ...executor, id: lost }, [])
    let { round } = await leases.readRound()
    for (let age = 0; age <= LEASE_ROUNDS + 1; age++) {
      const begun = await leases.beginRound(round, LEASE_ROUNDS)
      round = begun?.round ?? Number.NaN
    }

    const id = v7()
    const startLate = async () => {
      await jobs.insert([{ id, command: startCommand(), lane: Lane.inline, attachmentId: lost }])
      await leases.releaseLost(100, CRASH_LIMIT)
    }
    const attachments = createAttachmentStore(before(database, name, startLate))
    await attachments.attach({ ...TOLD, ...executor, id: attachmentId() }, [])

    await leases.releaseLost(100, CRASH_LIMIT)
    const text = `
    SELECT attachment_id AS holder, crash_count AS crashes, crashed_sessions AS charged
    FROM offstage.jobs WHERE id = $1::uuid`
    const { rows } = await database.query({ name: '', text }, [id])
    expect(rows).toEqual([{ holder: null, crashes: 0, charged: null }])
  },
)
