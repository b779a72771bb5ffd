import type { Database } from '@offstage/kit/database'
import { writerIdOf } from '../domain/blob-id.ts'
import type { Address, Namespace, ScopeId, UploadId } from '../domain/identifier.ts'
import { EVERYTHING } from '../domain/reach.ts'
import type { Upload, UploadStore } from '../ports/uploads.ts'
import { findFinishedUpload } from './finished-puts.ts'
import { reachValues, withinReach } from './within-reach.ts'
import { isWriterLost } from './writer-store.ts'

const START = {
  name: 'storage_start_upload',
  text: `INSERT INTO offstage_storage.uploads
      (id, namespace, owner, address, scope, ttl_ms, content_type, sha256, size, blob_id,
       idle_ms, expire_time, for_job)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9,
      offstage_storage.held_blob($10, $12), $11, now() + $11::bigint * interval '1 millisecond', $14
    WHERE $13 > (SELECT count(*) FROM (
      SELECT FROM offstage_storage.uploads WHERE owner = $3 AND expire_time > now() LIMIT $13) AS counted)
    RETURNING expire_time`,
}

const FIND = {
  name: 'storage_find_upload',
  text: `SELECT id, namespace, owner, address, scope, ttl_ms, content_type, sha256, size, blob_id,
      received, part_sums, expire_time, for_job
    FROM offstage_storage.uploads WHERE id = $1 AND expire_time > now() AND ${withinReach(2)}`,
}

/**
 * A lease further ahead than it can be, since the clock was put back, is cut to its length: whoever lives
 * renews it within that time, so it is not taken from anybody.
 */
const ACQUIRE = {
  name: 'storage_acquire_upload',
  text: `UPDATE offstage_storage.uploads SET
      writer = CASE WHEN writer IS NULL OR writer_until <= clock_timestamp() THEN $2 ELSE writer END,
      writer_until = clock_timestamp() + $3::bigint * interval '1 millisecond'
    WHERE id = $1 AND expire_time > now() AND (writer IS NULL OR writer_until <= clock_timestamp()
      OR writer_until > clock_timestamp() + $3::bigint * interval '1 millisecond')
    RETURNING writer = $2 AS acquired`,
}

/** Only headway puts off the end, and what has ended stays so. Two renewals of one writer may overtake each other. */
const ADVANCE = {
  name: 'storage_advance_upload',
  text: `UPDATE offstage_storage.uploads SET received = greatest(received, $3),
      part_sums = CASE WHEN received < $3 THEN $6 ELSE part_sums END,
      writer_until = clock_timestamp() + $4::bigint * interval '1 millisecond',
      expire_time = CASE WHEN received < $3
        THEN clock_timestamp() + $5::bigint * interval '1 millisecond' ELSE expire_time END
    WHERE id = $1 AND writer = $2 AND expire_time > clock_timestamp()`,
}

const CUT_BACK = {
  name: 'storage_cut_back_upload',
  text: `UPDATE offstage_storage.uploads SET received = $3, part_sums = $4
    WHERE id = $1 AND writer = $2`,
}

const RELEASE = {
  name: 'storage_release_upload',
  text: `UPDATE offstage_storage.uploads SET writer = NULL, writer_until = NULL
    WHERE id = $1 AND writer = $2`,
}

const DELETE = {
  name: 'storage_delete_upload',
  text: 'DELETE FROM offstage_storage.uploads WHERE id = $1',
}

interface UploadRow {
  id: UploadId
  namespace: Namespace
  owner: string
  address: Address | null
  scope: ScopeId | null
  ttl_ms: number | null
  content_type: string
  sha256: Buffer | null
  size: number | null
  blob_id: string
  received: number
  part_sums: Buffer
  expire_time: Date
  for_job: boolean
}

export function createUploadStore(database: Database, ownerUploadsMax: number): UploadStore {
  return {
    async start({ id, namespace, owner, header, blobId, idleMsMax }) {
      const { address, scope, timeToLiveMs, forJob, contentType, sha256, size } = header
      const wanted = [address, scope, timeToLiveMs, contentType, sha256, size]
      const given = [id, namespace, owner, ...wanted, blobId, idleMsMax, writerIdOf(blobId)]
      try {
        const { rows } = await database.query<{ expire_time: Date }>(START, [
          ...given,
          ownerUploadsMax,
          forJob,
        ])
        const quota = `${ownerUploadsMax} unfinished uploads for an owner`
        return rows[0]?.expire_time ?? { kind: 'over-quota', quota }
      } catch (error) {
        if (isWriterLost(error)) return { kind: 'writer-lost' }
        throw error
      }
    },
    async find(id, reach = EVERYTHING) {
      const { rows } = await database.query<UploadRow>(FIND, [id, ...reachValues(reach)])
      return rows[0] && uploadFromRow(rows[0])
    },
    finished: (id, reach = EVERYTHING) => findFinishedUpload(database, id, reach),
    async acquire(id, writer, leaseMs) {
      const { rows } = await database.query<{ acquired: boolean }>(ACQUIRE, [id, writer, leaseMs])
      return rows[0]?.acquired === true
    },
    async advance(id, writer, { received, partSums, leaseMs, idleMsMax }) {
      const values = [id, writer, received, leaseMs, idleMsMax, partSums]
      return (await database.query(ADVANCE, values)).rowCount > 0
    },
    async cutBack(id, writer, { received, partSums }) {
      await database.query(CUT_BACK, [id, writer, received, partSums])
    },
    async release(id, writer) {
      await database.query(RELEASE, [id, writer])
    },
    async delete(id) {
      await database.query(DELETE, [id])
    },
  }
}

function uploadFromRow(row: UploadRow): Upload {
  const { id, namespace, owner } = row
  return {
    kind: 'unfinished',
    id,
    namespace,
    owner,
    header: {
      namespace,
      owner,
      requestId: undefined,
      address: row.address ?? undefined,
      scope: row.scope ?? undefined,
      timeToLiveMs: row.ttl_ms ?? undefined,
      forJob: row.for_job,
      contentType: row.content_type,
      sha256: row.sha256 ?? undefined,
      size: row.size ?? undefined,
    },
    blobId: row.blob_id,
    received: row.received,
    partSums: row.part_sums,
    expireTime: row.expire_time,
  }
}
