/** What NetworkPolicies allow between pods, as Kubernetes reads them. */
import { type LabelSelector, type Labels, type Manifest, selects } from '../manifests.ts'

export interface Port {
  readonly name: string
  readonly number: number
  readonly protocol?: 'TCP' | 'UDP'
}

/** A pod, or an address outside of the cluster, which no selector takes. */
export interface Actor {
  readonly name: string
  readonly namespace: string
  readonly labels: Labels
  readonly ports: readonly Port[]
  readonly isOutside?: boolean
}

interface Peer {
  readonly podSelector?: LabelSelector
  readonly namespaceSelector?: LabelSelector
  readonly ipBlock?: { readonly cidr: string }
}

interface Rule {
  readonly from?: readonly Peer[]
  readonly to?: readonly Peer[]
  readonly ports?: readonly { readonly port?: string | number; readonly protocol?: string }[]
}

interface Policy {
  readonly podSelector: LabelSelector
  readonly policyTypes: readonly string[]
  readonly ingress?: readonly Rule[]
  readonly egress?: readonly Rule[]
}

/** Whether the policies of `namespace` let one dial a port of the other. Other namespaces have none. */
export function isAllowed(
  { from, to, port }: { readonly from: Actor; readonly to: Actor; readonly port: Port },
  manifests: readonly Manifest[],
  namespace: string,
): boolean {
  const policies = manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map(({ spec }) => spec as Policy)
  const taking = (actor: Actor, type: string) =>
    actor.namespace !== namespace || actor.isOutside
      ? []
      : policies.filter(
          ({ podSelector, policyTypes }) =>
            policyTypes.includes(type) && selects(podSelector, actor.labels),
        )
  const admits = (rules: readonly Rule[] = [], peer: Actor, key: 'from' | 'to') =>
    rules.some((rule) => takesPort(rule, port) && takesPeer(rule[key], peer, namespace))
  const out = taking(from, 'Egress')
  const into = taking(to, 'Ingress')
  return (
    (out.length === 0 || out.some(({ egress }) => admits(egress, to, 'to'))) &&
    (into.length === 0 || into.some(({ ingress }) => admits(ingress, from, 'from')))
  )
}

function takesPort({ ports }: Rule, { name, number, protocol = 'TCP' }: Port): boolean {
  if (ports === undefined) return true
  return ports.some(
    (each) =>
      (each.protocol ?? 'TCP') === protocol &&
      (each.port === undefined || each.port === name || each.port === number),
  )
}

function takesPeer(peers: readonly Peer[] | undefined, actor: Actor, own: string): boolean {
  if (peers === undefined || peers.length === 0) return true
  return peers.some(({ ipBlock, podSelector, namespaceSelector }) => {
    // An address block may hold the addresses of pods, but none is meant.
    if (ipBlock !== undefined) return actor.isOutside === true
    if (actor.isOutside) return false
    const names = { 'kubernetes.io/metadata.name': actor.namespace }
    const isThere = namespaceSelector ? selects(namespaceSelector, names) : actor.namespace === own
    return isThere && selects(podSelector ?? {}, actor.labels)
  })
}
