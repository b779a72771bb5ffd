/** Leases of those that write blobs, in the database's time. What their rows promise stands in blobs/blob-writers.ts. */
import { type Database, sqlStateOf } from '@offstage/kit/database'
import type { WriterStore } from '../ports/writers.ts'

const REGISTER = {
  name: 'storage_register_writer',
  text: `INSERT INTO offstage_storage.blob_writers (id, lease_ms, lease_until)
    VALUES ($1, $2, now() + $2::bigint * interval '1 millisecond')`,
}

const RENEW = {
  name: 'storage_renew_writers',
  text: `UPDATE offstage_storage.blob_writers
    SET lease_until = clock_timestamp() + lease_ms * interval '1 millisecond'
    WHERE id = ANY ($1::text[]) RETURNING id`,
}

/** Passes by a writer of which a commit is under way: its lease runs out, and the sweep comes again. */
const RETIRE = {
  name: 'storage_retire_writers',
  text: `DELETE FROM offstage_storage.blob_writers WHERE id IN (
      SELECT id FROM offstage_storage.blob_writers
      WHERE id = ANY ($1::text[]) FOR UPDATE SKIP LOCKED)`,
}

const RETIRE_LAPSED = {
  name: 'storage_retire_lapsed_writers',
  text: `DELETE FROM offstage_storage.blob_writers WHERE id IN (
      SELECT id FROM offstage_storage.blob_writers
      WHERE lease_until <= now() FOR UPDATE SKIP LOCKED)`,
}

/** Raised by held_blob in the migrations. */
const WRITER_LOST = 'OFW01'

/** Whether a statement was refused because the writer of its blob has been retired. */
export function isWriterLost(error: unknown): boolean {
  return sqlStateOf(error) === WRITER_LOST
}

export function createWriterStore(database: Database): WriterStore {
  return {
    async register(id, leaseMs) {
      await database.query(REGISTER, [id, leaseMs])
    },
    renew: async (ids) =>
      (await database.query<{ id: string }>(RENEW, [ids])).rows.map(({ id }) => id),
    async retire(ids) {
      await database.query(RETIRE, [ids])
    },
    async retireLapsed() {
      await database.query(RETIRE_LAPSED)
    },
  }
}
