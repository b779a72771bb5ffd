#!/usr/bin/env node
import { openConfiguredNats } from '@offstage/kit/bus'
import { renderConfig, UNKNOWN_VARIABLES, unknownVariables } from '@offstage/kit/config'
import { namingDatabase, waitingFor } from '@offstage/kit/database'
import { namingPort } from '@offstage/kit/grpc'
import { probesOf } from '@offstage/kit/health'
import { createService, Resources, runMain, type Service } from '@offstage/kit/lifecycle'
import { createLogger, createMetrics, startTelemetry } from '@offstage/kit/telemetry'
import { serverTls } from '@offstage/kit/tls'
import { readSchedulerConfig, schedulerFields } from './config.ts'
import { openSchedulerIdentity } from './identity.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'
import { openDatabases } from './store/databases.ts'

await runMain('scheduler', async () => {
  const config = readSchedulerConfig()
  const log = createLogger({ name: 'scheduler', level: config.logLevel })
  log.info(renderConfig(schedulerFields, config), 'configuration')
  const unknown = unknownVariables()
  if (unknown.length > 0) log.warn({ variables: unknown }, UNKNOWN_VARIABLES)
  const onError = (error: unknown) => log.warn({ err: error }, 'a connection failed')
  const resources = new Resources()
  let scheduler: Scheduler | undefined
  let isStopping = false
  const unready = () => {
    // From the signal on, while what it has open ends.
    if (isStopping) return 'stopping'
    return scheduler === undefined ? 'not started' : scheduler.unready
  }
  const metrics = createMetrics({ service: 'scheduler', unready })
  const service: Service = createService({
    name: 'scheduler process',
    async start(signal) {
      const probes = { service: 'SCHEDULER', config, log, metrics, unready }
      await resources.use(probesOf(probes)).start()
      const { otlpEndpoint } = config
      const telemetry = startTelemetry({ serviceName: 'offstage-scheduler', otlpEndpoint })
      await resources.use(telemetry).start()
      const bus = resources.use(
        await openConfiguredNats(config, { name: 'offstage-scheduler', onError }),
      )
      const patience = waitingFor(config.databaseWaitMs, log, signal)
      const database = resources.use(await openDatabases(config, onError, patience))
      const tls = serverTls(config, log)
      const identity = resources.use(openSchedulerIdentity(config, database, log))
      const parts = { config, database, bus, log, tls, ...identity }
      scheduler = resources.use(createScheduler(parts))
      for (const measures of scheduler.measures) metrics.add(measures)
      await scheduler
        .start()
        .catch(namingPort('OFFSTAGE_SCHEDULER_PORT'))
        .catch(namingDatabase('OFFSTAGE_SCHEDULER_DATABASE_URL'))
    },
    stop() {
      isStopping = true
      return resources[Symbol.asyncDispose]()
    },
  })
  return service
})
