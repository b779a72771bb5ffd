/** What ends by itself; safe to run on every replica at once. */
import type { Database } from '@offstage/kit/database'
import type { SweepStore } from '../ports/sweeps.ts'
import type { GoneValue } from '../ports/values.ts'

const IDENTITY = {
  name: 'storage_identity',
  text: 'SELECT id, store_id FROM offstage_storage.identity',
}

const ADOPT_STORE = {
  name: 'storage_adopt_store',
  text: `UPDATE offstage_storage.identity SET store_id = coalesce(store_id, $1) RETURNING store_id`,
}

/** Passes by the puts under way (see hold_scope). */
const CLOSE_EXPIRED_SCOPES = {
  name: 'storage_close_expired_scopes',
  text: `UPDATE offstage_storage.scopes SET close_time = now() WHERE id IN (
      SELECT id FROM offstage_storage.scopes WHERE close_time IS NULL AND expire_time <= now()
      LIMIT $1::int FOR NO KEY UPDATE SKIP LOCKED)`,
}

const DELETE_EXPIRED_VALUES = {
  name: 'storage_delete_expired_values',
  text: `DELETE FROM offstage_storage.temp_values WHERE address IN (
      SELECT address FROM offstage_storage.temp_values WHERE expire_time <= now()
      ORDER BY expire_time LIMIT $1::int FOR UPDATE SKIP LOCKED)
    RETURNING address, namespace`,
}

/** A put may have held the row of its scope while the scope was closed, so this looks at all of them. */
const DELETE_VALUES_OF_CLOSED_SCOPES = {
  name: 'storage_delete_values_of_closed_scopes',
  text: `DELETE FROM offstage_storage.temp_values WHERE address IN (
      SELECT v.address FROM offstage_storage.scopes s
      JOIN offstage_storage.temp_values v ON v.scope = s.id
      WHERE s.close_time IS NOT NULL LIMIT $1::int FOR UPDATE OF v SKIP LOCKED)
    RETURNING address, namespace`,
}

const DELETE_ENDED_UPLOADS = {
  name: 'storage_delete_ended_uploads',
  text: `DELETE FROM offstage_storage.uploads WHERE id IN (
      SELECT id FROM offstage_storage.uploads
      WHERE expire_time <= now() AND (writer IS NULL OR writer_until <= now())
      LIMIT $1::int FOR UPDATE SKIP LOCKED)`,
}

const FORGET_PUTS = {
  name: 'storage_forget_puts',
  text: `DELETE FROM offstage_storage.finished_puts WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM offstage_storage.finished_puts WHERE forget_time <= now()
      LIMIT $1::int FOR UPDATE SKIP LOCKED))`,
}

const FORGET_SCOPES = {
  name: 'storage_forget_scopes',
  text: `DELETE FROM offstage_storage.scopes WHERE id IN (
      SELECT s.id FROM offstage_storage.scopes s
      WHERE s.close_time <= now() - $1::bigint * interval '1 millisecond'
        AND NOT EXISTS (SELECT FROM offstage_storage.temp_values v WHERE v.scope = s.id)
      LIMIT $2::int FOR UPDATE SKIP LOCKED)`,
}

const FORGET_USAGE = {
  name: 'storage_forget_usage',
  text: `DELETE FROM offstage_storage.usage WHERE (namespace, owner) IN (
      SELECT namespace, owner FROM offstage_storage.usage WHERE value_count = 0
      LIMIT $1::int FOR UPDATE SKIP LOCKED)`,
}

const GARBAGE = {
  name: 'storage_garbage',
  text: 'SELECT blob_id FROM offstage_storage.garbage_blobs ORDER BY create_time LIMIT $1::int',
}

const FORGET_GARBAGE = {
  name: 'storage_forget_garbage',
  text: 'DELETE FROM offstage_storage.garbage_blobs WHERE blob_id = ANY ($1::text[])',
}

const POSTPONE_GARBAGE = {
  name: 'storage_postpone_garbage',
  text: 'UPDATE offstage_storage.garbage_blobs SET create_time = clock_timestamp() WHERE blob_id = ANY ($1::text[])',
}

/** One snapshot: of a writer whose row is gone in it, all that was ever committed is there. */
const UNREFERENCED = {
  name: 'storage_unreferenced',
  text: `SELECT blob_id FROM unnest($1::text[]) AS b (blob_id)
    WHERE NOT EXISTS (SELECT FROM offstage_storage.temp_values v WHERE v.blob_id = b.blob_id)
      AND NOT EXISTS (SELECT FROM offstage_storage.uploads u WHERE u.blob_id = b.blob_id)
      AND NOT EXISTS (
        SELECT FROM offstage_storage.blob_writers w WHERE w.id = right(b.blob_id, 16))`,
}

interface BlobRow {
  blob_id: string
}

export function createSweepStore(database: Database): SweepStore {
  const count = async (statement: typeof GARBAGE, values: unknown[]) =>
    (await database.query(statement, values)).rowCount
  const blobs = async (statement: typeof GARBAGE, values: unknown[]) =>
    (await database.query<BlobRow>(statement, values)).rows.map((row) => row.blob_id)
  return {
    async identity() {
      const { rows } = await database.query<{ id: string; store_id: string | null }>(IDENTITY)
      if (rows[0] === undefined) throw new Error('offstage_storage.identity is empty')
      return { databaseId: rows[0].id, storeId: rows[0].store_id ?? undefined }
    },
    async adoptStore(storeId) {
      const { rows } = await database.query<{ store_id: string }>(ADOPT_STORE, [storeId])
      if (rows[0] === undefined) throw new Error('offstage_storage.identity is empty')
      return rows[0].store_id
    },
    closeExpiredScopes: (limit) => count(CLOSE_EXPIRED_SCOPES, [limit]),
    async deleteEndedValues(limit) {
      const expired = await database.query<GoneValue>(DELETE_EXPIRED_VALUES, [limit])
      const closed = await database.query<GoneValue>(DELETE_VALUES_OF_CLOSED_SCOPES, [limit])
      return [...expired.rows, ...closed.rows]
    },
    deleteEndedUploads: (limit) => count(DELETE_ENDED_UPLOADS, [limit]),
    forgetPuts: (limit) => count(FORGET_PUTS, [limit]),
    forgetScopes: (closedForMs, limit) => count(FORGET_SCOPES, [closedForMs, limit]),
    forgetUsage: (limit) => count(FORGET_USAGE, [limit]),
    garbageBlobs: (limit) => blobs(GARBAGE, [limit]),
    async forgetGarbage(blobIds) {
      await database.query(FORGET_GARBAGE, [blobIds])
    },
    async postponeGarbage(blobIds) {
      await database.query(POSTPONE_GARBAGE, [blobIds])
    },
    unreferenced: (blobIds) => blobs(UNREFERENCED, [blobIds]),
  }
}
