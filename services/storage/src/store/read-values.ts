import type { Queryable } from '@offstage/kit/database'
import type { Address } from '../domain/identifier.ts'
import type { Usage } from '../domain/limits.ts'
import type { PageCursor } from '../domain/page-cursor.ts'
import type { ListQuery } from '../domain/put.ts'
import type { Reach } from '../domain/reach.ts'
import type { TempValue } from '../domain/temp-value.ts'
import type { ValueStore } from '../ports/values.ts'
import {
  type BytesRow,
  bytesFromRow,
  VALUE_COLUMNS,
  type ValueRow,
  valueFromRow,
} from './value-rows.ts'
import { reachValues, withinReach } from './within-reach.ts'

const FIND = {
  name: 'storage_find',
  text: `SELECT ${VALUE_COLUMNS} FROM offstage_storage.live_values WHERE address = $1 AND ${withinReach(2)}`,
}

const READ = {
  name: 'storage_read',
  text: `SELECT ${VALUE_COLUMNS}, inline_bytes, part_sums
    FROM offstage_storage.live_values WHERE address = $1 AND ${withinReach(2)}`,
}

/**
 * What is not asked for is not in the statement, so that of somebody else's scope nothing is read. Microseconds, because a Date would
 * lose them and with them the place in the list. One more row tells whether there is a next page.
 */
function listing({ namespace, owner, scope, after, limit }: ListQuery) {
  const values: unknown[] = []
  const add = (value: unknown) => `$${values.push(value)}`
  const parts = [`namespace = ${add(namespace)}`]
  if (owner !== undefined) parts.push(`owner = ${add(owner)}`)
  if (scope !== undefined) parts.push(`scope = ${add(scope)}`)
  // Or the planner would walk down all that is the owner's where very many have something in the scope.
  const fence = scope === undefined ? '' : 'OFFSET 0'
  const place =
    after === undefined
      ? ''
      : `WHERE (create_time, address) < ('epoch'::timestamptz + ${add(after.createTimeUs)}::bigint * interval '1 microsecond', ${add(after.address)}::text)`
  const given = { owner, scope, after }
  const asked = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : name))
  const text = `SELECT ${VALUE_COLUMNS}, (extract(epoch FROM create_time) * 1000000)::bigint AS create_time_us
    FROM (SELECT * FROM offstage_storage.live_values WHERE ${parts.join(' AND ')} ${fence}) AS listed
    ${place}
    ORDER BY create_time DESC, address DESC LIMIT ${add(limit)}::int + 1`
  return { statement: { name: ['storage_list', ...asked].join('_'), text }, values }
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
  reach: Reach,
): Promise<TempValue | undefined> {
  const { rows } = await database.query<ValueRow>(FIND, [address, ...reachValues(reach)])
  return rows[0] && valueFromRow(rows[0])
}

export async function readValue(
  database: Queryable,
  address: Address,
  reach: Reach,
): ReturnType<ValueStore['read']> {
  const given = [address, ...reachValues(reach)]
  const { rows } = await database.query<ValueRow & BytesRow>(READ, given)
  return rows[0] && { value: valueFromRow(rows[0]), ...bytesFromRow(rows[0]) }
}

export async function listValues(
  database: Queryable,
  query: ListQuery,
): Promise<{ values: TempValue[]; next: PageCursor | undefined }> {
  const { limit } = query
  const { statement, values } = listing(query)
  const { rows } = await database.query<ValueRow & { create_time_us: number }>(statement, values)
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
