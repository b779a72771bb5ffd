import { connectNats, createInProcessBus } from '@offstage/kit/bus'
import { openPostgres } from '@offstage/kit/database'
import { createService, runMain, type Service } from '@offstage/kit/lifecycle'
import { createLogger, startTelemetry } from '@offstage/kit/telemetry'
import { readStorageProcessConfig, renderStorageConfig } from './config.ts'
import { createStorageService } from './service.ts'

await runMain('offstage-storage', async () => {
  const config = readStorageProcessConfig()
  const log = createLogger({ name: 'storage', level: config.logLevel })
  log.info(`configuration\n${renderStorageConfig(config)}`)
  const onError = (error: unknown) => log.warn({ err: error }, 'a connection failed')
  const resources = new AsyncDisposableStack()
  const service: Service = createService({
    name: 'storage process',
    async start() {
      const { otlpEndpoint, databaseUrl, databasePoolSize, natsUrl } = config
      const telemetry = startTelemetry({ serviceName: 'offstage-storage', otlpEndpoint })
      await resources.use(telemetry).start()
      const bus = resources.use(
        natsUrl === undefined
          ? createInProcessBus({ onError })
          : await connectNats({ url: natsUrl, name: 'offstage-storage', onError }),
      )
      const database = resources.use(
        await openPostgres({
          url: databaseUrl,
          poolSize: databasePoolSize,
          applicationName: 'offstage-storage',
          onError,
        }),
      )
      await resources.use(createStorageService({ config, database, bus, log })).start()
    },
    stop: () => resources.disposeAsync(),
  })
  return service
})
