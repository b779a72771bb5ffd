import {
  labelsOf,
  type Manifest,
  nameOf,
  podOf,
  SERVICES,
  selects,
  serviceOf,
  workloadsOf,
} from '../manifests.ts'

interface Budget {
  readonly maxUnavailable?: number | string
  readonly minAvailable?: number | string
  readonly selector?: Parameters<typeof selects>[0]
}

/** Services stand apart from one another, and are not taken away all at once, yet nodes can be drained. */
export function availabilityFaults(manifests: readonly Manifest[]): string[] {
  const workloads = workloadsOf(manifests)
  const budgets = manifests
    .filter(({ kind }) => kind === 'PodDisruptionBudget')
    .map(({ spec }) => spec as Budget)
  const missing = SERVICES.filter((name) => !workloads.some((each) => serviceOf(each) === name))
  return [
    ...missing.map((name) => `there is no workload ${name}`),
    ...workloads.flatMap((workload) => {
      if (serviceOf(workload) === undefined) return []
      const faults: string[] = []
      const own = budgets.filter(({ selector }) => selects(selector ?? {}, labelsOf(workload)))
      // With minAvailable a single replica could never be moved.
      if (own.length !== 1 || !own[0]?.maxUnavailable) {
        faults.push('must have one PodDisruptionBudget, with maxUnavailable of at least 1')
      }
      const spread = podOf(workload).topologySpreadConstraints ?? []
      if (!spread.some(({ labelSelector }) => selects(labelSelector ?? {}, labelsOf(workload)))) {
        faults.push('must have a topologySpreadConstraint that takes its pods')
      }
      return faults.map((fault) => `${nameOf(workload)}: ${fault}`)
    }),
  ]
}
