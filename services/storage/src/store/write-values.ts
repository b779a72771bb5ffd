/** Puts and reservations: one transaction each, in which a closing scope and a quota have their say. */
import type { Database, Queryable, Statement } from '@offstage/kit/database'
import type { ScopeId } from '../domain/identifier.ts'
import {
  JOB_VALUE_LOOK_MS,
  type Quotas,
  quotaPassed,
  TIME_TO_LIVE_MS_DEFAULT,
} from '../domain/limits.ts'
import type { PutCommand, ReserveCommand, WriteFault } from '../domain/put.ts'
import type { StoredValue, TempValue } from '../domain/temp-value.ts'
import { Fault, orFault } from './fault.ts'
import { memoryOf, remembering } from './finished-puts.ts'
import { type Once, once } from './once.ts'
import { readUsage } from './read-values.ts'
import { VALUE_COLUMNS, type ValueRow, valueFromRow } from './value-rows.ts'

/** Until the transaction ends the scope's closing waits; then it sees the new row. */
const HOLD_SCOPE = {
  name: 'storage_hold_scope',
  text: 'SELECT offstage_storage.hold_scope($1) AS open',
}

const RESERVE: Once = {
  find: {
    name: 'storage_find_reserved',
    text: `SELECT ${VALUE_COLUMNS} FROM offstage_storage.live_values
      WHERE namespace = $1 AND owner = $2 AND request_id = $3`,
  },
  free: {
    name: 'storage_free_reserved',
    text: `UPDATE offstage_storage.temp_values SET request_id = NULL
      WHERE namespace = $1 AND owner = $2 AND request_id = $3
        AND address NOT IN (SELECT address FROM offstage_storage.live_values
          WHERE namespace = $1 AND owner = $2 AND request_id = $3)`,
  },
  make: {
    name: 'storage_reserve',
    text: `INSERT INTO offstage_storage.temp_values
        (namespace, owner, request_id, address, scope, ttl_ms, expire_time, fixed)
      VALUES ($1, $2, $3, $4, $5, $6,
        CASE WHEN $5::text IS NULL THEN now() + $6::bigint * interval '1 millisecond' END, true)
      ON CONFLICT (namespace, owner, request_id) WHERE request_id IS NOT NULL DO NOTHING
      RETURNING ${VALUE_COLUMNS}`,
  },
}

const PUT_NEW = {
  name: 'storage_put_new',
  text: `INSERT INTO offstage_storage.temp_values
      (address, namespace, owner, scope, ttl_ms, expire_time, look_time, fixed,
       version, size, content_type, sha256, inline_bytes, blob_id, part_sums)
    VALUES ($1, $2, $3, $4, $5,
      CASE WHEN $4::text IS NULL AND NOT $6::boolean THEN now() + $5::bigint * interval '1 millisecond' END,
      CASE WHEN $6::boolean THEN now() + ${JOB_VALUE_LOOK_MS} * interval '1 millisecond' END, false,
      $7, $8, $9, $10, $11, offstage_storage.held_blob($12, $13), $14)
    RETURNING ${VALUE_COLUMNS}`,
}

const PUT_NEW_REMEMBERED = remembering(PUT_NEW, 14)

const LOCK = {
  name: 'storage_lock_value',
  text: `SELECT scope, size FROM offstage_storage.live_values
    WHERE address = $1 AND (expire_time IS NULL OR expire_time > clock_timestamp()) FOR UPDATE`,
}

/** A read-and-delete of the value before loses its claim, and so deletes nothing. The own of a job stays that, but in a scope. */
const REPLACE = {
  name: 'storage_replace',
  text: `UPDATE offstage_storage.temp_values SET
      scope = $2, ttl_ms = coalesce($3, ttl_ms), create_time = now(),
      look_time = CASE WHEN $2::text IS NULL THEN look_time END,
      expire_time = CASE WHEN $2::text IS NULL AND look_time IS NULL
        THEN now() + coalesce($3, ttl_ms) * interval '1 millisecond' END,
      version = $4, size = $5, content_type = $6, sha256 = $7, inline_bytes = $8,
      blob_id = offstage_storage.held_blob($9, $10), part_sums = $11,
      claim = NULL, claim_until = NULL
    WHERE address = $1
    RETURNING ${VALUE_COLUMNS}`,
}

const REPLACE_REMEMBERED = remembering(REPLACE, 11)

const END_UPLOAD = {
  name: 'storage_end_upload',
  text: 'DELETE FROM offstage_storage.uploads WHERE id = $1 AND writer = $2',
}

export function reserveAddress(
  database: Database,
  quotas: Quotas,
  command: ReserveCommand,
): Promise<TempValue | WriteFault> {
  const { address, namespace, owner, scope, timeToLiveMs = TIME_TO_LIVE_MS_DEFAULT } = command
  return orFault(database, async (tx) => {
    await holdScope(tx, scope)
    const request = [namespace, owner, command.requestId] as const
    const row = await once<ValueRow>(tx, RESERVE, request, [address, scope, timeToLiveMs])
    if (row.address === address) await keepQuotas(tx, quotas, command)
    return valueFromRow(row)
  })
}

export function putValue(
  database: Database,
  quotas: Quotas,
  command: PutCommand,
): Promise<StoredValue | WriteFault> {
  return orFault(database, async (tx) => {
    const { address, upload } = command
    await holdScope(tx, command.scope)
    const written =
      address === undefined ? await insert(tx, command) : await replace(tx, command, address)
    if (written.growth > 0) await keepQuotas(tx, quotas, command)
    if (upload !== undefined) {
      const { rowCount } = await tx.query(END_UPLOAD, [upload.id, upload.writer])
      if (rowCount === 0) throw new Fault({ kind: 'upload-lost' })
    }
    const value = valueFromRow(written.row)
    if (value.kind !== 'stored') throw new Error(`${value.address} was put without a value`)
    return value
  })
}

interface Written {
  readonly row: ValueRow
  /** What the quotas have to bear. */
  readonly growth: number
}

async function insert(tx: Queryable, command: PutCommand): Promise<Written> {
  const { newAddress, namespace, owner, scope, forJob } = command
  const { timeToLiveMs = TIME_TO_LIVE_MS_DEFAULT } = command
  const head = [newAddress, namespace, owner, scope, timeToLiveMs, forJob]
  return { row: await write(tx, [PUT_NEW, PUT_NEW_REMEMBERED], head, command), growth: 1 }
}

async function replace(tx: Queryable, command: PutCommand, address: string): Promise<Written> {
  const found = await tx.query<{ scope: ScopeId | null; size: number }>(LOCK, [address])
  const [before] = found.rows
  if (before === undefined) throw new Fault({ kind: 'address-gone' })
  const scope = command.scope ?? before.scope
  const head = [address, scope, command.timeToLiveMs]
  const row = await write(tx, [REPLACE, REPLACE_REMEMBERED], head, command)
  return { row, growth: row.size - before.size }
}

async function write(
  tx: Queryable,
  [plain, remembered]: [Statement, Statement],
  head: unknown[],
  command: PutCommand,
): Promise<ValueRow> {
  const parameters = [...head, ...contentOf(command)]
  const memory = memoryOf(command)
  if (memory === undefined) return only((await tx.query<ValueRow>(plain, parameters)).rows)
  type Row = ValueRow & { remembered: boolean }
  const row = only((await tx.query<Row>(remembered, [...parameters, ...memory])).rows)
  if (row.remembered) return row
  throw new Fault({ kind: command.upload === undefined ? 'request-id-used' : 'upload-lost' })
}

function contentOf({ version, contentType, body }: PutCommand): unknown[] {
  if (body.kind === 'inline') {
    return [version, body.bytes.length, contentType, body.sha256, body.bytes, null, null, null]
  }
  const { size, sha256, blobId, writerId, partSums } = body
  return [version, size, contentType, sha256, null, blobId, writerId, partSums]
}

async function holdScope(tx: Queryable, scope: ScopeId | undefined): Promise<void> {
  if (scope === undefined) return
  const { rows } = await tx.query<{ open: boolean | null }>(HOLD_SCOPE, [scope])
  const { open } = only(rows)
  if (open === null) throw new Fault({ kind: 'scope-missing' })
  if (!open) throw new Fault({ kind: 'scope-closed' })
}

/** After the write: the row of usage is ours by then, so an owner's quota is kept exactly. */
async function keepQuotas(
  tx: Queryable,
  quotas: Quotas,
  { namespace, owner }: { namespace: string; owner: string },
): Promise<void> {
  const quota = quotaPassed(await readUsage(tx, namespace, owner), quotas)
  if (quota !== undefined) throw new Fault({ kind: 'over-quota', quota })
}

function only<Row>(rows: readonly Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('a write returned no row')
  return row
}
