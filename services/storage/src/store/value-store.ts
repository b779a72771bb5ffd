import { type Database, loadMigrations, type MigrationWatch, migrate } from '@offstage/kit/database'
import type { Quotas } from '../domain/limits.ts'
import { EVERYTHING } from '../domain/reach.ts'
import type { ValueStore } from '../ports/values.ts'
import { claimValue, consumeValue, releaseClaim, renewClaim } from './claim-values.ts'
import { findFinishedPut } from './finished-puts.ts'
import { findValue, listValues, readUsage, readValue } from './read-values.ts'
import { putValue, reserveAddress } from './write-values.ts'

/** Brings the database to the shape this code works with. */
export async function migrateStorage(
  database: Database,
  watch: MigrationWatch = {},
): Promise<void> {
  const migrations = await loadMigrations(new URL('./migrations/', import.meta.url))
  await migrate(database, { schema: 'offstage_storage', migrations, ...watch })
}

const DELETE = {
  name: 'storage_delete',
  text: 'DELETE FROM offstage_storage.live_values WHERE address = $1',
}

export function createValueStore(database: Database, quotas: Quotas): ValueStore {
  return {
    find: (address, reach = EVERYTHING) => findValue(database, address, reach),
    read: (address, reach = EVERYTHING) => readValue(database, address, reach),
    reserve: (command) => reserveAddress(database, quotas, command),
    put: (command) => putValue(database, quotas, command),
    finishedPut: (request) => findFinishedPut(database, request),
    delete: async (address) => (await database.query(DELETE, [address])).rowCount > 0,
    list: (query) => listValues(database, query),
    usage: (namespace, owner) => readUsage(database, namespace, owner),
    claim: (address, claim, leaseMs) => claimValue(database, address, claim, leaseMs),
    renewClaim: (address, claim, leaseMs) => renewClaim(database, address, claim, leaseMs),
    releaseClaim: (address, claim) => releaseClaim(database, address, claim),
    consume: (address, claim) => consumeValue(database, address, claim),
  }
}
