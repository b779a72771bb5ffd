#!/usr/bin/env node
import { openIdentity } from '@offstage/kit/auth/tokens'
import { createInProcessBus, openConfiguredNats } from '@offstage/kit/bus'
import { renderConfig, UNKNOWN_VARIABLES, unknownVariables } from '@offstage/kit/config'
import { namingDatabase, openConfiguredPostgres, waitingFor } from '@offstage/kit/database'
import { namingPort } from '@offstage/kit/grpc'
import { probesOf } from '@offstage/kit/health'
import { createService, Resources, runMain, type Service } from '@offstage/kit/lifecycle'
import { createLogger, createMetrics, startTelemetry } from '@offstage/kit/telemetry'
import { clientTls, serverTls } from '@offstage/kit/tls'
import { createJobValues } from './asking/job-values.ts'
import { askScheduler } from './attempts/ask-scheduler.ts'
import { readStorageConfig, storageFields } from './config.ts'
import { createStorage, type Storage } from './storage.ts'

await runMain('storage', async () => {
  const config = readStorageConfig()
  const log = createLogger({ name: 'storage', level: config.logLevel })
  log.info(renderConfig(storageFields, config), 'configuration')
  const unknown = unknownVariables()
  if (unknown.length > 0) log.warn({ variables: unknown }, UNKNOWN_VARIABLES)
  const onError = (error: unknown) => log.warn({ err: error }, 'a connection failed')
  const resources = new Resources()
  let storage: Storage | undefined
  let isStopping = false
  const unready = () => {
    // From the signal on, while what it has open ends.
    if (isStopping) return 'stopping'
    return storage === undefined ? 'not started' : storage.unready
  }
  const service: Service = createService({
    name: 'storage process',
    async start(signal) {
      const metrics = createMetrics({ service: 'storage', unready })
      await resources.use(probesOf({ service: 'STORAGE', config, log, metrics, unready })).start()
      const { otlpEndpoint, databaseUrl, databasePasswordFile, databasePoolSize, natsUrl } = config
      const telemetry = startTelemetry({ serviceName: 'offstage-storage', otlpEndpoint })
      await resources.use(telemetry).start()
      const bus = resources.use(
        natsUrl === undefined
          ? createInProcessBus({ onError })
          : await openConfiguredNats({ ...config, natsUrl }, { name: 'offstage-storage', onError }),
      )
      const database = resources.use(
        await openConfiguredPostgres(
          'OFFSTAGE_STORAGE_DATABASE_URL',
          {
            url: databaseUrl,
            passwordFile: databasePasswordFile,
            poolSize: databasePoolSize,
            applicationName: 'offstage-storage',
            onError,
          },
          waitingFor(config.databaseWaitMs, log, signal),
        ),
      )
      const tls = serverTls(config, log)
      const channelTls = clientTls(config, log)
      const attempts = resources.use(askScheduler(config.scheduler, channelTls))
      const { scheduler: address, token, tokenFile } = config
      const jobs = resources.use(createJobValues({ address, tls: channelTls, token, tokenFile }))
      const { authenticate } = resources.use(openIdentity(config, { log, ...attempts }))
      // The others are for puts, reads of values, sweeps and leases.
      const callsAtOnce = Math.max(1, config.databasePoolSize - 4)
      storage = resources.use(
        createStorage({ config, database, bus, log, tls, authenticate, jobs, callsAtOnce }),
      )
      await storage
        .start()
        .catch(namingPort('OFFSTAGE_STORAGE_PORT'))
        .catch(namingDatabase('OFFSTAGE_STORAGE_DATABASE_URL'))
      for (const measures of storage.measures) metrics.add(measures)
    },
    stop() {
      isStopping = true
      return resources[Symbol.asyncDispose]()
    },
  })
  return service
})
