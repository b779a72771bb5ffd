/** PostgreSQL and NATS for `make up`, found as the tests find them. Ends with SIGTERM, and they with it. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createService, runMain } from '@offstage/kit/lifecycle'
import { startNats, startPostgres } from '@offstage/kit/testkit'

const portOf = (name: string) => Number(process.env[name])

await runMain('servers', async () => {
  const servers = new AsyncDisposableStack()
  return createService({
    name: 'servers',
    async start() {
      const dataDir = process.env.OFFSTAGE_UP_POSTGRES_DIR ?? ''
      // What is above the data, unlike the data itself, is open to the user PostgreSQL runs as.
      await mkdir(dirname(dataDir), { recursive: true })
      const postgres = servers.use(
        await startPostgres({
          dataDir,
          port: portOf('OFFSTAGE_UP_POSTGRES_PORT'),
        }),
      )
      console.log(`PostgreSQL ${postgres.version}: ${postgres.url}, data in ${postgres.dataDir}`)
      const nats = servers.use(await startNats({ port: portOf('OFFSTAGE_UP_NATS_PORT') }))
      console.log(`nats-server ${nats.version}: ${nats.url}`)
    },
    stop: () => servers.disposeAsync(),
  })
})
