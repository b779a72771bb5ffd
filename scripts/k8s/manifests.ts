/** What the rules look at in rendered manifests; whether the rest is right is for the schemas. */
export type Labels = Readonly<Record<string, string>>

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Labels
    readonly annotations?: Labels
  }
  readonly spec?: unknown
  readonly data?: Labels
  readonly stringData?: Labels
}

export interface LabelSelector {
  readonly matchLabels?: Labels
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: string
    readonly values?: readonly string[]
  }[]
}

interface Reference {
  readonly name: string
  readonly key: string
}

export interface Variable {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: { readonly configMapKeyRef?: Reference; readonly secretKeyRef?: Reference }
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number }
  readonly exec?: object
  readonly periodSeconds?: number
  readonly failureThreshold?: number
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly env?: readonly Variable[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } }
  readonly resources?: {
    readonly requests?: Labels
    readonly limits?: Labels
  }
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean
    readonly readOnlyRootFilesystem?: boolean
    readonly privileged?: boolean
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] }
  }
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
}

export interface Volume {
  readonly name: string
  readonly configMap?: { readonly name: string }
  readonly secret?: { readonly secretName: string }
  readonly persistentVolumeClaim?: { readonly claimName: string }
  readonly emptyDir?: { readonly sizeLimit?: string }
  readonly projected?: {
    readonly sources: readonly {
      readonly serviceAccountToken?: { readonly audience?: string }
      readonly configMap?: { readonly name: string }
      readonly secret?: {
        readonly name: string
        readonly items?: readonly { readonly key: string }[]
      }
    }[]
  }
}

export interface Pod {
  readonly serviceAccountName?: string
  readonly automountServiceAccountToken?: boolean
  readonly enableServiceLinks?: boolean
  readonly terminationGracePeriodSeconds?: number
  readonly hostNetwork?: boolean
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean
    readonly runAsUser?: number
    readonly seccompProfile?: { readonly type: string }
  }
  readonly topologySpreadConstraints?: readonly { readonly labelSelector?: LabelSelector }[]
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly volumes?: readonly Volume[]
}

/** What makes pods. */
export interface Workload extends Manifest {
  readonly spec: {
    readonly replicas?: number
    readonly selector?: LabelSelector
    readonly serviceName?: string
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod }
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[]
  }
}

const WORKLOADS = ['Deployment', 'StatefulSet', 'Job']
/** What Offstage itself runs; PostgreSQL and NATS are others'. */
export const SERVICES = ['scheduler', 'storage', 'executor'] as const
export type ServiceName = (typeof SERVICES)[number]

export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  return manifests.filter((each): each is Workload => WORKLOADS.includes(each.kind))
}

/** Runs until it is stopped, unlike a Job. */
export function isLasting({ kind }: Manifest): boolean {
  return kind !== 'Job'
}

/** Which service of Offstage a workload is, by its name. */
export function serviceOf({ metadata }: Manifest): ServiceName | undefined {
  return SERVICES.find((service) => service === metadata.name)
}

/** For people: `Deployment scheduler`. */
export function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.name}`
}

export function labelsOf(workload: Workload): Labels {
  return workload.spec.template.metadata.labels
}

export function podOf(workload: Workload): Pod {
  return workload.spec.template.spec
}

export function containersOf(workload: Workload): readonly Container[] {
  const { containers, initContainers = [] } = podOf(workload)
  return [...containers, ...initContainers]
}

/** Whether a selector takes what has these labels. An empty one takes everything. */
export function selects(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Labels,
) {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key]
      if (operator === 'In') return value !== undefined && values.includes(value)
      if (operator === 'NotIn') return value === undefined || !values.includes(value)
      return (value !== undefined) === (operator === 'Exists')
    })
  )
}

/** The value of a variable where the manifests have it; undefined where it is in a Secret or elsewhere. */
export function variableValue(
  variable: Variable,
  manifests: readonly Manifest[],
): string | undefined {
  const reference = variable.valueFrom?.configMapKeyRef
  if (reference === undefined) return variable.value
  const map = manifests.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === reference.name,
  )
  return map?.data?.[reference.key]
}
