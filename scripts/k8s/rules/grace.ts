import { millis } from '@offstage/kit/config'
import {
  type Manifest,
  nameOf,
  podOf,
  type ServiceName,
  serviceOf,
  workloadsOf,
} from '../manifests.ts'

/** From the signal to the end, beside what the executor's drain takes: connections are cut after 10 s. */
const STOP_MS = 10_000
/** Handlers notice that they are to stop (1 s), last results are acknowledged (2 s), threads and connections end. */
const AFTER_DRAIN_MS = 10_000
const DRAIN = 'OFFSTAGE_EXECUTOR_DRAIN_GRACE'
const DRAIN_DEFAULT = '20s'

/** A pod is killed no sooner than it can have stopped in good order. */
export function graceFaults(manifests: readonly Manifest[]): string[] {
  return workloadsOf(manifests).flatMap((workload) => {
    const service = serviceOf(workload)
    if (service === undefined) return []
    const pod = podOf(workload)
    const sleeps = pod.containers.map(({ lifecycle }) => lifecycle?.preStop?.sleep?.seconds ?? 0)
    const needsMs = Math.max(...sleeps) * 1_000 + stopMsOf(service, drainOf(pod.containers))
    const hasMs = (pod.terminationGracePeriodSeconds ?? 30) * 1_000
    if (hasMs > needsMs) return []
    const problem = `terminationGracePeriodSeconds is ${hasMs / 1_000}, must be over ${needsMs / 1_000}`
    return [`${nameOf(workload)}: ${problem}: preStop, and what stopping takes`]
  })
}

function stopMsOf(service: ServiceName, drain: string): number {
  return service === 'executor' ? millis.parse(drain) + AFTER_DRAIN_MS : STOP_MS
}

function drainOf(containers: ReturnType<typeof podOf>['containers']): string {
  const variables = containers.flatMap(({ env = [] }) => env)
  return variables.find(({ name }) => name === DRAIN)?.value ?? DRAIN_DEFAULT
}
