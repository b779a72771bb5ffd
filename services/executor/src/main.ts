#!/usr/bin/env node
import { openIdentity } from '@offstage/kit/auth/tokens'
import {
  renderConfig,
  UNKNOWN_VARIABLES,
  UnavailableError,
  unknownVariables,
} from '@offstage/kit/config'
import { namingPort } from '@offstage/kit/grpc'
import { probesOf } from '@offstage/kit/health'
import { composeServices, createService, runMain } from '@offstage/kit/lifecycle'
import { createLogger, createMetrics } from '@offstage/kit/telemetry'
import { serverTls } from '@offstage/kit/tls'
import { executorMeasures } from './measures.ts'
import { createExecutor, executorFields, jobsFault, readExecutorConfig } from './mod.ts'

await runMain(
  'executor',
  async () => {
    const config = readExecutorConfig()
    const log = createLogger({ name: 'executor', level: config.logLevel })
    log.info(renderConfig(executorFields, config), 'configuration')
    const unknown = unknownVariables()
    if (unknown.length > 0) log.warn({ variables: unknown }, UNKNOWN_VARIABLES)
    // Its one timer keeps no process alive, so it ends with it.
    const { authenticate } = openIdentity(config, { log })
    const executor = createExecutor({ config, log, tls: serverTls(config, log), authenticate })
    const unready = () => executor.unready
    const metrics = createMetrics({ service: 'executor', unready })
    metrics.add(executorMeasures(executor))
    const probes = probesOf({ service: 'EXECUTOR', config, log, metrics, unready })
    const whole = createService({
      name: 'executor process',
      start: () =>
        executor
          .start()
          .catch(namingPort('OFFSTAGE_EXECUTOR_PORT'))
          .catch((error: unknown) => {
            throw error instanceof UnavailableError ? error : jobsFault(error)
          }),
      stop: () => executor.stop(),
    })
    return composeServices('executor process', [probes, whole])
  },
  // The drain keeps its own time; this only ends a stop that hangs.
  { stopTimeoutMs: 3_600_000 },
)
