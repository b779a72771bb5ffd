/**
 * A read-and-delete takes the value first, sends it, and deletes it only then (row L4). The claim is a
 * lease: when the reader's process dies, the value can be read again once the lease is over.
 */
import type { Queryable } from '@offstage/kit/database'
import type { Address } from '../domain/identifier.ts'
import type { Claim } from '../domain/put.ts'
import {
  type BytesRow,
  bytesFromRow,
  VALUE_COLUMNS,
  type ValueRow,
  valueFromRow,
} from './value-rows.ts'

/**
 * The version guards against a value put between the look and the claim; it is then busy for once. A lease
 * further ahead than it can be is cut to its length (see ACQUIRE of uploads).
 */
const CLAIM = {
  name: 'storage_claim',
  text: `WITH live AS (
      SELECT ${VALUE_COLUMNS}, inline_bytes, part_sums FROM offstage_storage.live_values
      WHERE address = $1 AND version IS NOT NULL),
    claimed AS (
      UPDATE offstage_storage.temp_values v SET
        claim = CASE WHEN v.claim IS NULL OR v.claim_until <= clock_timestamp() THEN $2 ELSE v.claim END,
        claim_until = clock_timestamp() + $3::bigint * interval '1 millisecond'
      FROM live WHERE v.address = live.address AND v.version = live.version
        AND (v.claim IS NULL OR v.claim_until <= clock_timestamp()
          OR v.claim_until > clock_timestamp() + $3::bigint * interval '1 millisecond')
      RETURNING v.claim = $2 AS mine)
    SELECT live.*, EXISTS (SELECT FROM claimed WHERE mine) AS claimed FROM live`,
}

const RENEW = {
  name: 'storage_renew_claim',
  text: `UPDATE offstage_storage.temp_values
    SET claim_until = now() + $3::bigint * interval '1 millisecond' WHERE address = $1 AND claim = $2`,
}

const RELEASE = {
  name: 'storage_release_claim',
  text: `UPDATE offstage_storage.temp_values SET claim = NULL, claim_until = NULL
    WHERE address = $1 AND claim = $2`,
}

const CONSUME = {
  name: 'storage_consume',
  text: `WITH deleted AS (
      DELETE FROM offstage_storage.temp_values WHERE address = $1 AND claim = $2 AND NOT fixed
      RETURNING 1),
    emptied AS (
      UPDATE offstage_storage.temp_values SET version = NULL, size = 0, content_type = '',
        sha256 = NULL, inline_bytes = NULL, blob_id = NULL, part_sums = NULL, claim = NULL, claim_until = NULL
      WHERE address = $1 AND claim = $2 AND fixed
      RETURNING 1)
    SELECT FROM deleted UNION ALL SELECT FROM emptied`,
}

export async function claimValue(
  database: Queryable,
  address: Address,
  claim: string,
  leaseMs: number,
): Promise<Claim> {
  type Row = ValueRow & BytesRow & { claimed: boolean }
  const { rows } = await database.query<Row>(CLAIM, [address, claim, leaseMs])
  const [row] = rows
  const value = row && valueFromRow(row)
  if (row === undefined || value?.kind !== 'stored') return { kind: 'absent' }
  if (!row.claimed) return { kind: 'busy' }
  return { kind: 'claimed', value, ...bytesFromRow(row) }
}

export async function renewClaim(
  database: Queryable,
  address: Address,
  claim: string,
  leaseMs: number,
): Promise<boolean> {
  return (await database.query(RENEW, [address, claim, leaseMs])).rowCount > 0
}

export async function releaseClaim(
  database: Queryable,
  address: Address,
  claim: string,
): Promise<void> {
  await database.query(RELEASE, [address, claim])
}

export async function consumeValue(
  database: Queryable,
  address: Address,
  claim: string,
): Promise<boolean> {
  return (await database.query(CONSUME, [address, claim])).rowCount > 0
}
