/** PostgreSQL for `make up`, found as the tests find it. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { startPostgres } from '@offstage/testkit'
import { runServer } from './run-server.ts'

await runServer('PostgreSQL', async (port) => {
  const dataDir = process.env.OFFSTAGE_UP_POSTGRES_DIR ?? ''
  // What is above the data, unlike the data itself, is open to the user PostgreSQL runs as.
  await mkdir(dirname(dataDir), { recursive: true })
  return startPostgres({ dataDir, port })
})
