import {
  containersOf,
  type LabelSelector,
  labelsOf,
  type Manifest,
  nameOf,
  podOf,
  selects,
  type Workload,
  workloadsOf,
} from '../manifests.ts'

interface Selecting {
  readonly selector?: LabelSelector | LabelSelector['matchLabels']
  readonly podSelector?: LabelSelector
  readonly ports?: readonly { readonly targetPort?: string | number }[]
  readonly scaleTargetRef?: { readonly kind?: string; readonly name: string }
}

/** What is named or selected is there, and each is scaled by one alone. */
export function referenceFaults(manifests: readonly Manifest[]): string[] {
  return [
    ...manifests.flatMap((each) => selectorFaults(each, workloadsOf(manifests))),
    ...workloadsOf(manifests).flatMap((each) => ownFaults(each, manifests)),
    ...scalingFaults(manifests),
  ]
}

function selectorFaults(manifest: Manifest, workloads: readonly Workload[]): string[] {
  const { selector, ports = [] } = (manifest.spec ?? {}) as Selecting
  const wanted: LabelSelector | undefined =
    manifest.kind === 'Service'
      ? { matchLabels: selector as LabelSelector['matchLabels'] }
      : manifest.kind === 'PodDisruptionBudget'
        ? (selector as LabelSelector)
        : undefined
  if (wanted === undefined) return []
  const found = workloads.filter((each) => selects(wanted, labelsOf(each)))
  if (found.length !== 1) {
    return [`${nameOf(manifest)}: selects the pods of ${found.length} workloads, must be of one`]
  }
  const names = found.flatMap(containersOf).flatMap((each) => each.ports ?? [])
  return ports
    .map(({ targetPort }) => targetPort)
    .filter((port) => !names.some(({ name }) => name === port))
    .map((port) => `${nameOf(manifest)}: no container has a port named ${port}`)
}

function ownFaults(workload: Workload, manifests: readonly Manifest[]): string[] {
  const has = (kind: string, name: string) =>
    manifests.some((each) => each.kind === kind && each.metadata.name === name)
  const { serviceAccountName, volumes = [] } = podOf(workload)
  const { selector, serviceName, volumeClaimTemplates = [] } = workload.spec
  const faults: string[] = []
  if (selector !== undefined && !selects(selector, labelsOf(workload))) {
    faults.push('its selector does not take its own pods')
  }
  if (serviceName !== undefined && !has('Service', serviceName)) {
    faults.push(`there is no Service ${serviceName}`)
  }
  if (serviceAccountName !== undefined && !has('ServiceAccount', serviceAccountName)) {
    faults.push(`there is no ServiceAccount ${serviceAccountName}`)
  }
  for (const { configMap, persistentVolumeClaim } of volumes) {
    const claim = persistentVolumeClaim?.claimName
    if (configMap && !has('ConfigMap', configMap.name)) {
      faults.push(`there is no ConfigMap ${configMap.name}`)
    }
    if (claim !== undefined && !has('PersistentVolumeClaim', claim)) {
      faults.push(`there is no PersistentVolumeClaim ${claim}`)
    }
  }
  const names = [...volumes, ...volumeClaimTemplates.map(({ metadata }) => metadata)].map(
    ({ name }) => name,
  )
  for (const { name, volumeMounts = [], env = [] } of containersOf(workload)) {
    for (const mount of volumeMounts) {
      if (!names.includes(mount.name))
        faults.push(`${name} mounts ${mount.name}, which is no volume`)
    }
    for (const { name: variable, valueFrom } of env) {
      const map = valueFrom?.configMapKeyRef
      if (map === undefined) continue
      const found = manifests.find(
        ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === map.name,
      )
      if (found?.data?.[map.key] === undefined) {
        faults.push(`${variable} is ${map.key} of ConfigMap ${map.name}, which has none`)
      }
    }
  }
  return faults.map((fault) => `${nameOf(workload)}: ${fault}`)
}

function scalingFaults(manifests: readonly Manifest[]): string[] {
  const scalers = manifests.filter(({ kind }) =>
    ['HorizontalPodAutoscaler', 'ScaledObject'].includes(kind),
  )
  const targets = scalers.map(({ spec }) => (spec as Selecting).scaleTargetRef?.name)
  const workloads = workloadsOf(manifests)
  return [
    ...scalers
      .filter((_, index) => !workloads.some(({ metadata }) => metadata.name === targets[index]))
      .map((each) => `${nameOf(each)}: there is nothing of the name it scales`),
    ...workloads.flatMap((each) => {
      const by = targets.filter((name) => name === each.metadata.name).length
      const setters = by + (each.spec.replicas === undefined ? 0 : 1)
      if (each.kind === 'Job' || setters === 1) return []
      return [`${nameOf(each)}: its replicas are set by ${setters}, must be by one`]
    }),
  ]
}
