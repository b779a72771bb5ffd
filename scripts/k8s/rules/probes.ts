import {
  isLasting,
  type Manifest,
  nameOf,
  type Probe,
  podOf,
  serviceOf,
  workloadsOf,
} from '../manifests.ts'

const KINDS = ['startupProbe', 'livenessProbe', 'readinessProbe'] as const
/** Migrations of a large table run before a service is ready. */
const STARTUP_SECONDS_MIN = 600
const MIGRATING = ['scheduler', 'storage']

/** Everything that lasts is probed in three ways; services on the plain port, and long enough at the start. */
export function probeFaults(manifests: readonly Manifest[]): string[] {
  return workloadsOf(manifests)
    .filter(isLasting)
    .flatMap((workload) => {
      const service = serviceOf(workload)
      const faults = podOf(workload).containers.flatMap((container) => [
        ...KINDS.filter((kind) => container[kind] === undefined).map((kind) => `has no ${kind}`),
        ...(service === undefined
          ? []
          : KINDS.flatMap((kind) => pathFaults(kind, container[kind] ?? {}))),
        ...(service !== undefined && MIGRATING.includes(service)
          ? startupFaults(container.startupProbe ?? {})
          : []),
      ])
      return faults.map((fault) => `${nameOf(workload)}: ${fault}`)
    })
}

function pathFaults(kind: (typeof KINDS)[number], { httpGet }: Probe): string[] {
  if (httpGet?.port !== 'health') return [`${kind} must ask the port health`]
  const wanted = kind === 'livenessProbe' ? '/livez' : '/readyz'
  const isRight = httpGet.path === wanted || kind === 'startupProbe'
  return isRight ? [] : [`${kind} must ask ${wanted}`]
}

function startupFaults({ periodSeconds = 10, failureThreshold = 3, httpGet }: Probe): string[] {
  const seconds = periodSeconds * failureThreshold
  const faults: string[] = []
  if (seconds < STARTUP_SECONDS_MIN) {
    faults.push(
      `startupProbe gives up after ${seconds} s, migrations may take ${STARTUP_SECONDS_MIN}`,
    )
  }
  // It is live before it has migrated.
  if (httpGet?.path !== '/readyz') faults.push('startupProbe must ask /readyz')
  return faults
}
