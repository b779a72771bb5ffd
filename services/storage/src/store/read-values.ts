import type { Queryable } from '@offstage/kit/database'
import type { Address } from '../domain/identifier.ts'
import type { Usage } from '../domain/limits.ts'
import type { PageCursor } from '../domain/page-cursor.ts'
import type { ListQuery } from '../domain/put.ts'
import type { TempValue } from '../domain/temp-value.ts'
import type { ValueStore } from '../ports.ts'
import {
  type BytesRow,
  bytesFromRow,
  VALUE_COLUMNS,
  type ValueRow,
  valueFromRow,
} from './value-rows.ts'

const FIND = {
  name: 'storage_find',
  text: `SELECT ${VALUE_COLUMNS} FROM offstage_storage.live_values WHERE address = $1`,
}

const READ = {
  name: 'storage_read',
  text: `SELECT ${VALUE_COLUMNS}, inline_bytes, part_sums
    FROM offstage_storage.live_values WHERE address = $1 AND ($2::text IS NULL OR owner = $2)`,
}

/** Microseconds, because a Date would lose them and with them the place in the list. One more row tells whether there is a next page. */
const LIST = {
  name: 'storage_list',
  text: `SELECT ${VALUE_COLUMNS}, (extract(epoch FROM create_time) * 1000000)::bigint AS create_time_us
    FROM offstage_storage.live_values
    WHERE namespace = $1 AND ($2::text IS NULL OR owner = $2) AND ($3::text IS NULL OR scope = $3)
      AND ($4::bigint IS NULL
        OR (create_time, address) < ('epoch'::timestamptz + $4 * interval '1 microsecond', $5::text))
    ORDER BY create_time DESC, address DESC LIMIT $6::int + 1`,
}

const USAGE = {
  name: 'storage_usage',
  text: `SELECT
      coalesce(sum(byte_count) FILTER (WHERE owner = $2), 0)::bigint AS owner_bytes,
      coalesce(sum(value_count) FILTER (WHERE owner = $2), 0)::bigint AS owner_values,
      coalesce(sum(byte_count), 0)::bigint AS namespace_bytes
    FROM offstage_storage.usage WHERE namespace = $1`,
}

export async function findValue(
  database: Queryable,
  address: Address,
): Promise<TempValue | undefined> {
  const { rows } = await database.query<ValueRow>(FIND, [address])
  return rows[0] && valueFromRow(rows[0])
}

export async function readValue(
  database: Queryable,
  address: Address,
  owner?: string,
): ReturnType<ValueStore['read']> {
  const { rows } = await database.query<ValueRow & BytesRow>(READ, [address, owner ?? null])
  return rows[0] && { value: valueFromRow(rows[0]), ...bytesFromRow(rows[0]) }
}

export async function listValues(
  database: Queryable,
  query: ListQuery,
): Promise<{ values: TempValue[]; next: PageCursor | undefined }> {
  const { namespace, owner, scope, after, limit } = query
  const { rows } = await database.query<ValueRow & { create_time_us: number }>(LIST, [
    ...[namespace, owner, scope, after?.createTimeUs, after?.address, limit],
  ])
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return {
    values: page.map(valueFromRow),
    next: last && { createTimeUs: last.create_time_us, address: last.address },
  }
}

export async function readUsage(
  database: Queryable,
  namespace: string,
  owner: string,
): Promise<Usage> {
  const { rows } = await database.query<{
    owner_bytes: number
    owner_values: number
    namespace_bytes: number
  }>(USAGE, [namespace, owner])
  const [row] = rows
  return {
    ownerBytes: row?.owner_bytes ?? 0,
    ownerValues: row?.owner_values ?? 0,
    namespaceBytes: row?.namespace_bytes ?? 0,
  }
}
