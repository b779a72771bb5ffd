import { host, port, UnavailableError, variable } from '../config/mod.ts'
import { composeServices, createService, type Service } from '../lifecycle/mod.ts'
import type { Logger, Metrics } from '../telemetry/mod.ts'
import { createProbeServer } from './probe-server.ts'

/** The variables of the port for probes and metrics of one service. */
export function healthFields<const S extends string>(service: S) {
  return {
    healthPort: variable(`OFFSTAGE_${service}_HEALTH_PORT`, port.optional(), {
      description: 'plain HTTP port for /livez, /readyz and /metrics; absent: there is none',
    }),
    healthHost: variable(`OFFSTAGE_${service}_HEALTH_HOST`, host.optional(), {
      description: 'where that port listens; absent: where the service does',
    }),
  }
}

export interface ProbesOptions {
  /** As in the names of its variables. */
  readonly service: string
  readonly config: {
    readonly host: string
    readonly healthPort: number | undefined
    readonly healthHost: string | undefined
  }
  readonly log: Logger
  readonly metrics: Metrics
  /** Why there should be no work for the service now; undefined where there may be. */
  unready(): string | undefined
}

/** The port for probes and metrics, as it is configured; nothing where it is not. To be started first and stopped last. */
export function probesOf({ service, config, log, metrics, unready }: ProbesOptions): Service {
  const { healthPort, healthHost = config.host } = config
  if (healthPort === undefined) {
    return createService({ name: 'no probes', start: async () => {}, stop: async () => {} })
  }
  const server = createProbeServer({ host: healthHost, port: healthPort, unready, metrics, log })
  const serving = createService({
    name: 'probes',
    async start() {
      const variable = `OFFSTAGE_${service}_HEALTH_PORT`
      await server.start().catch((cause: Error) => {
        throw new UnavailableError(variable, `cannot listen: ${cause.message}`, { cause })
      })
      log.info({ host: healthHost, port: server.port }, 'serving probes')
    },
    stop: server.stop,
  })
  return composeServices('probes and metrics', [metrics, serving])
}
