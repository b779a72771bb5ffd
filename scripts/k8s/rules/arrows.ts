import { type Labels, labelsOf, type Manifest, podOf, workloadsOf } from '../manifests.ts'
import { type Actor, isAllowed } from './network-policy.ts'

/** Who may dial whom: `client → scheduler`. A port that is not the one for calls is named: `monitoring → scheduler (health)`. */
export interface Arrows {
  /** Each is there, in every overlay. */
  readonly required: ReadonlySet<string>
  /** What an overlay may have beside them. */
  readonly optional: ReadonlySet<string>
}

const NAME = 'app.kubernetes.io/name'
const CALLS = ['grpc', 'postgres', 'nats', 'dns', 'https']
const CLIENT = { 'offstage/client': 'true' }
const DNS = { 'k8s-app': 'kube-dns' }
const KEDA = { 'app.kubernetes.io/name': 'keda-operator' }
const CNPG = { 'app.kubernetes.io/name': 'cloudnative-pg' }
const PROMETHEUS = { 'app.kubernetes.io/name': 'prometheus' }

/** Network policies allow exactly what is said to be dialled. */
export function arrowFaults(manifests: readonly Manifest[], arrows: Arrows): string[] {
  const found = arrowsIn(manifests)
  return [
    ...[...arrows.required]
      .filter((arrow) => !found.has(arrow))
      .map((arrow) => `NetworkPolicy: ${arrow} is not allowed, and is needed`),
    ...[...found]
      .filter((arrow) => !arrows.required.has(arrow) && !arrows.optional.has(arrow))
      .map((arrow) => `NetworkPolicy: ${arrow} is allowed, and nobody needs it`),
  ]
}

/** Everything that the policies allow, among what runs here, what may be around it, and addresses outside. */
export function arrowsIn(manifests: readonly Manifest[]): ReadonlySet<string> {
  const namespace = manifests.find(({ kind }) => kind === 'Namespace')?.metadata.name ?? 'default'
  const pods = [...workloadActors(manifests), ...clusterActors(manifests)].map((actor) => ({
    ...actor,
    namespace,
  }))
  const actors = [...pods, ...around(namespace)]
  const found = new Set<string>()
  for (const from of actors) {
    for (const to of actors) {
      for (const port of to.ports) {
        if (from.isOutside || (from.namespace !== namespace && to.namespace !== namespace)) continue
        if (!isAllowed({ from, to, port }, manifests, namespace)) continue
        const target = to.isOutside ? port.name : to.name
        const isForCalls = to.isOutside || CALLS.includes(port.name)
        found.add(`${from.name} → ${target}${isForCalls ? '' : ` (${port.name})`}`)
      }
    }
  }
  return found
}

function workloadActors(manifests: readonly Manifest[]): Omit<Actor, 'namespace'>[] {
  return workloadsOf(manifests).map((workload) => ({
    name: nameIn(labelsOf(workload)) ?? workload.metadata.name,
    labels: labelsOf(workload),
    ports: podOf(workload).containers.flatMap(({ ports = [] }) =>
      ports.map(({ name, containerPort }) => ({ name, number: containerPort })),
    ),
  }))
}

/** Pods that an operator makes of its own resource. */
function clusterActors(manifests: readonly Manifest[]): Omit<Actor, 'namespace'>[] {
  return manifests
    .filter(({ apiVersion }) => apiVersion.startsWith('postgresql.cnpg.io/'))
    .map(({ spec, metadata }) => {
      const { inheritedMetadata } = spec as { inheritedMetadata?: { labels?: Labels } }
      const labels = { 'cnpg.io/cluster': metadata.name, ...inheritedMetadata?.labels }
      const ports = [
        { name: 'postgres', number: 5432 },
        { name: 'status', number: 8000 },
        { name: 'metrics', number: 9187 },
      ]
      return { name: nameIn(labels) ?? metadata.name, labels, ports }
    })
}

function nameIn(labels: Labels): string | undefined {
  return labels[NAME]
}

/** Who and what else there may be: what the policies have to let in or keep out. */
function around(namespace: string): Actor[] {
  const pod = (name: string, own: string, labels: Labels): Actor => {
    return { name, namespace: own, labels, ports: [] }
  }
  return [
    pod('client', 'apps', CLIENT),
    pod('client', namespace, CLIENT),
    pod('stranger', 'apps', {}),
    { ...pod('neighbour', namespace, {}), ports: [{ name: 'http', number: 80 }] },
    pod('monitoring', 'monitoring', PROMETHEUS),
    pod('KEDA', 'keda', KEDA),
    pod('CloudNativePG', 'cnpg-system', CNPG),
    {
      ...pod('dns', 'kube-system', DNS),
      ports: [
        { name: 'dns', number: 53, protocol: 'UDP' },
        { name: 'dns', number: 53, protocol: 'TCP' },
      ],
    },
    {
      ...pod('addresses', '', {}),
      isOutside: true,
      ports: [
        { name: 'postgres', number: 5432 },
        { name: 'nats', number: 4222 },
        { name: 'kubernetes', number: 443 },
        { name: 'kubernetes', number: 6443 },
        { name: 'the internet', number: 80 },
      ],
    },
  ]
}
