#!/usr/bin/env node
/** Brings the database to the shape this release works with, and ends: for the role that may, before the services start. */
import { readConfig, renderConfig } from '@offstage/kit/config'
import { namingDatabase, openConfiguredPostgres, waitingFor } from '@offstage/kit/database'
import { runTask } from '@offstage/kit/lifecycle'
import { createLogger } from '@offstage/kit/telemetry'
import { storageFields } from './config.ts'
import { migrateStorage } from './store/value-store.ts'

const { databaseUrl, databasePasswordFile, databaseWaitMs, logLevel } = storageFields
const fields = { databaseUrl, databasePasswordFile, databaseWaitMs, logLevel }

await runTask('storage migrations', async () => {
  const config = readConfig(fields)
  const log = createLogger({ name: 'storage', level: config.logLevel })
  log.info(renderConfig(fields, config), 'configuration')
  await using database = await openConfiguredPostgres(
    databaseUrl.name,
    {
      url: config.databaseUrl,
      passwordFile: config.databasePasswordFile,
      poolSize: 1,
      applicationName: 'offstage-storage-migrations',
    },
    waitingFor(config.databaseWaitMs, log),
  )
  await migrateStorage(database, { warn: (text) => log.warn(text) }).catch(
    namingDatabase(databaseUrl.name),
  )
  log.info('the database is at the version of this release')
})
