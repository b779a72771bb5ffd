#!/usr/bin/env node
/** Brings the database to the shape this release works with, and ends: for the role that may, before the services start. */
import { readConfig, renderConfig } from '@offstage/kit/config'
import { namingDatabase, openConfiguredPostgres, waitingFor } from '@offstage/kit/database'
import { runTask } from '@offstage/kit/lifecycle'
import { createLogger } from '@offstage/kit/telemetry'
import { schedulerFields } from './config.ts'
import { migrateJobs } from './store/tables.ts'

const { databaseUrl, databasePasswordFile, databaseWaitMs, logLevel } = schedulerFields
const fields = { databaseUrl, databasePasswordFile, databaseWaitMs, logLevel }

await runTask('scheduler migrations', async () => {
  const config = readConfig(fields)
  const log = createLogger({ name: 'scheduler', level: config.logLevel })
  log.info(renderConfig(fields, config), 'configuration')
  await using database = await openConfiguredPostgres(
    databaseUrl.name,
    {
      url: config.databaseUrl,
      passwordFile: config.databasePasswordFile,
      poolSize: 1,
      applicationName: 'offstage-scheduler-migrations',
    },
    waitingFor(config.databaseWaitMs, log),
  )
  await migrateJobs(database, { warn: (text) => log.warn(text) }).catch(
    namingDatabase(databaseUrl.name),
  )
  log.info('the database is at the version of this release')
})
