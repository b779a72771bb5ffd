/**
 * Puts that are done, remembered for those whose answer was lost. The row is written by the statement
 * that stores the value, so it is there exactly when the value is, and costs no round trip. It counts
 * until a sweep has taken it.
 */
import type { Queryable, Statement } from '@offstage/kit/database'
import type { Address, UploadId } from '../domain/identifier.ts'
import type { FinishedPut, PutCommand, PutRequest } from '../domain/put.ts'
import type { Reach } from '../domain/reach.ts'
import type { StoredValue } from '../domain/temp-value.ts'
import type { FinishedUpload } from '../ports/uploads.ts'
import { VALUE_COLUMNS, type ValueRow, valueFromRow } from './value-rows.ts'
import { reachValues, withinReach } from './within-reach.ts'

const SNAPSHOT_COLUMNS = `address, namespace, owner, scope, expire_time, create_time, version, size,
  content_type, sha256`

const FIND_BY_REQUEST = {
  name: 'storage_find_finished_put',
  text: `SELECT ${SNAPSHOT_COLUMNS}, NULL AS blob_id, asked_address
    FROM offstage_storage.finished_puts
    WHERE asker = $1 AND asked_namespace = $2 AND request_id = $3`,
}

const FIND_BY_UPLOAD = {
  name: 'storage_find_finished_upload',
  text: `SELECT ${SNAPSHOT_COLUMNS}, NULL AS blob_id, forget_time
    FROM offstage_storage.finished_puts WHERE upload = $1 AND ${withinReach(2)}`,
}

/** `write` with `remembered`: false when a put of this request, or upload, was there before. Its row must be taken back then. */
export function remembering(write: Statement, parameters: number): Statement {
  const p = (n: number) => `$${parameters + n}`
  return {
    name: `${write.name}_remembered`,
    text: `WITH stored AS (${write.text}),
      remembered AS (
        INSERT INTO offstage_storage.finished_puts (${SNAPSHOT_COLUMNS},
          asker, asked_namespace, request_id, asked_address, upload, forget_time)
        SELECT ${SNAPSHOT_COLUMNS}, ${[1, 2, 3, 4, 5].map(p).join(', ')},
          now() + ${p(6)}::bigint * interval '1 millisecond'
        FROM stored
        ON CONFLICT DO NOTHING RETURNING 1)
      SELECT ${VALUE_COLUMNS}, EXISTS (SELECT FROM remembered) AS remembered FROM stored`,
  }
}

/** What `remembering` takes beside the parameters of the write; undefined: nothing is to be remembered. */
export function memoryOf({ address, request, upload }: PutCommand): unknown[] | undefined {
  if (upload !== undefined) return [null, null, null, address, upload.id, upload.keptMs]
  if (request === undefined) return undefined
  return [request.asker, request.namespace, request.id, address, null, request.keptMs]
}

export async function findFinishedPut(
  database: Queryable,
  { asker, namespace, id }: PutRequest,
): Promise<FinishedPut | undefined> {
  type Row = ValueRow & { asked_address: Address | null }
  const { rows } = await database.query<Row>(FIND_BY_REQUEST, [asker, namespace, id])
  const [row] = rows
  return row && { value: storedFrom(row), askedAddress: row.asked_address ?? undefined }
}

export async function findFinishedUpload(
  database: Queryable,
  id: UploadId,
  reach: Reach,
): Promise<FinishedUpload | undefined> {
  type Row = ValueRow & { forget_time: Date }
  const { rows } = await database.query<Row>(FIND_BY_UPLOAD, [id, ...reachValues(reach)])
  const [row] = rows
  return row && { kind: 'finished', value: storedFrom(row), forgetTime: row.forget_time }
}

function storedFrom(row: ValueRow): StoredValue {
  const value = valueFromRow(row)
  if (value.kind !== 'stored') throw new Error(`${value.address} was remembered without a value`)
  return value
}
