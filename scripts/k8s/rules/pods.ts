import {
  type Container,
  containersOf,
  type Manifest,
  nameOf,
  type Pod,
  podOf,
  workloadsOf,
} from '../manifests.ts'

/** Pods are as the profile "restricted" of Kubernetes has it and a little stricter, and say what they need. */
export function podFaults(manifests: readonly Manifest[]): string[] {
  return [
    ...manifests.filter(({ kind }) => kind === 'Namespace').flatMap(namespaceFaults),
    ...manifests.flatMap(nameFaults),
    ...workloadsOf(manifests).flatMap((workload) => {
      const faults = [...faultsOfPod(podOf(workload)), ...containersOf(workload).flatMap(faultsOf)]
      return faults.map((fault) => `${nameOf(workload)}: ${fault}`)
    }),
  ]
}

function namespaceFaults(namespace: Manifest): string[] {
  const level = namespace.metadata.labels?.['pod-security.kubernetes.io/enforce']
  return level === 'restricted' ? [] : [`${nameOf(namespace)}: does not enforce restricted pods`]
}

/** Of a Service `offstage-scheduler` Kubernetes tells pods in OFFSTAGE_SCHEDULER_PORT, which is a setting. */
function nameFaults(manifest: Manifest): string[] {
  const isMisleading = manifest.kind === 'Service' && manifest.metadata.name.startsWith('offstage')
  return isMisleading ? [`${nameOf(manifest)}: may not begin with offstage`] : []
}

function faultsOfPod(pod: Pod): string[] {
  const { securityContext = {}, volumes = [] } = pod
  const faults: string[] = []
  if (securityContext.runAsNonRoot !== true) faults.push('runAsNonRoot must be true')
  if (!securityContext.runAsUser) faults.push('runAsUser must be a user other than root')
  if (securityContext.seccompProfile?.type !== 'RuntimeDefault') {
    faults.push('seccompProfile must be RuntimeDefault')
  }
  if (pod.hostNetwork) faults.push('hostNetwork is not for it')
  if (pod.enableServiceLinks !== false) faults.push('enableServiceLinks must be false')
  if (pod.automountServiceAccountToken !== false) {
    faults.push('automountServiceAccountToken must be false: project a token where one is needed')
  }
  for (const { name, emptyDir } of volumes) {
    if (emptyDir && !emptyDir.sizeLimit) faults.push(`${name} must have a sizeLimit`)
  }
  return faults
}

function faultsOf({ name, image, resources = {}, securityContext = {} }: Container): string[] {
  const faults: string[] = []
  const { requests = {}, limits = {} } = resources
  for (const each of ['cpu', 'memory']) if (!requests[each]) faults.push(`requests no ${each}`)
  if (!limits.memory) faults.push('has no limit of memory')
  if (securityContext.allowPrivilegeEscalation !== false) {
    faults.push('allowPrivilegeEscalation must be false')
  }
  if (securityContext.readOnlyRootFilesystem !== true) {
    faults.push('readOnlyRootFilesystem must be true')
  }
  if (securityContext.privileged) faults.push('privileged is not for it')
  const { drop = [], add = [] } = securityContext.capabilities ?? {}
  if (!drop.includes('ALL') || add.length > 0)
    faults.push('must drop ALL capabilities, and add none')
  if (!/(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})$/.test(image)) {
    faults.push(`its image ${image} has no tag that stays what it is`)
  }
  return faults.map((fault) => `${name}: ${fault}`)
}
