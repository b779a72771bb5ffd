import { connectNats } from '@offstage/kit/bus'
import { renderConfig, UNKNOWN_VARIABLES, unknownVariables } from '@offstage/kit/config'
import { namingPort } from '@offstage/kit/grpc'
import { composeServices, createService, runMain, type Service } from '@offstage/kit/lifecycle'
import { createLogger, startTelemetry } from '@offstage/kit/telemetry'
import { readSchedulerConfig, schedulerFields } from './config.ts'
import { createScheduler } from './scheduler.ts'
import { openDatabases } from './store/databases.ts'

await runMain('scheduler', async (): Promise<Service> => {
  const config = readSchedulerConfig()
  const log = createLogger({ name: 'scheduler', level: config.logLevel })
  log.info(renderConfig(schedulerFields, config), 'configuration')
  const unknown = unknownVariables()
  if (unknown.length > 0) log.warn({ variables: unknown }, UNKNOWN_VARIABLES)
  const onError = (error: unknown) => log.warn({ err: error }, 'connection trouble')
  const database = await openDatabases(config, onError)
  const bus = await connectNats({ url: config.natsUrl, name: 'offstage-scheduler', onError })
  const scheduler = createScheduler({ config, database, bus, log })
  return composeServices('scheduler process', [
    startTelemetry({ serviceName: 'offstage-scheduler', otlpEndpoint: config.otlpEndpoint }),
    owned('database', database),
    owned('bus', bus),
    createService({
      name: 'scheduler',
      start: () => scheduler.start().catch(namingPort('OFFSTAGE_SCHEDULER_PORT')),
      stop: () => scheduler.stop(),
    }),
  ])
})

/** What was opened before is closed after everything that uses it. */
function owned(name: string, resource: AsyncDisposable): Service {
  return createService({
    name,
    start: async () => {},
    stop: async () => resource[Symbol.asyncDispose](),
  })
}
