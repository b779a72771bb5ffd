/** What is put beside the overlay `local` to try it: JSON, which kubectl takes like YAML. */

export const NAMESPACE = 'offstage'
/** For what no namespace with restricted pod security lets in. */
export const HANDS_NAMESPACE = 'offstage-e2e'
/** On a node, where no class of storage provides volumes. */
export const VOLUMES = '/var/lib/offstage-e2e'
const MARKED = { 'offstage-e2e': 'true' }

/** Where the service account that a pod has is known to identity.json of the overlay. */
export type Account = 'client' | 'admin' | 'default'

export interface Caller {
  readonly name: string
  readonly image: string
  readonly command: readonly string[]
  readonly account: Account
  /** Whether network policies take it for a client. */
  readonly isClient: boolean
}

/** A pod that calls as the guide has it: a label, a service account and a projected token of it. */
export function callerPod({ name, ...spec }: Caller): object {
  const labels = { ...MARKED, ...(spec.isClient ? { 'offstage/client': 'true' } : {}) }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, labels },
    spec: podOf(spec),
  }
}

/** The same for what ends. */
export function callerJob({ name, ...spec }: Caller): object {
  const template = {
    metadata: { labels: { ...MARKED, 'offstage/client': 'true' } },
    spec: podOf(spec),
  }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: NAMESPACE },
    spec: { backoffLimit: 0, template },
  }
}

const VARIABLES = {
  OFFSTAGE_SCHEDULER: 'dns:///scheduler.offstage:7701',
  OFFSTAGE_STORAGE: 'dns:///storage.offstage:7702',
  OFFSTAGE_TOKEN_FILE: '/var/run/offstage/token/token',
  OFFSTAGE_TLS: 'off',
}

function podOf({ image, command, account }: Omit<Caller, 'name'>): object {
  const token = { path: 'token', audience: 'offstage', expirationSeconds: 600 }
  return {
    serviceAccountName: account,
    automountServiceAccountToken: false,
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    securityContext: {
      ...{ runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001 },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'caller',
        image,
        command,
        env: Object.entries(VARIABLES).map(([name, value]) => ({ name, value })),
        securityContext: {
          ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'token', mountPath: '/var/run/offstage/token', readOnly: true },
          { name: 'tmp', mountPath: '/tmp' },
        ],
      },
    ],
    volumes: [
      { name: 'token', projected: { sources: [{ serviceAccountToken: token }] } },
      { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
    ],
  }
}

/**
 * On every node a pod that may do what the node does: ask probes from its address, send signals to processes of containers, and make
 * folders.
 */
export function nodeHands(image: string): object[] {
  const level = { 'pod-security.kubernetes.io/enforce': 'privileged' }
  const labels = { app: 'hands' }
  const pod = {
    ...{ hostPID: true, hostNetwork: true, automountServiceAccountToken: false },
    terminationGracePeriodSeconds: 1,
    tolerations: [{ operator: 'Exists' }],
    containers: [
      {
        name: 'hands',
        image,
        command: ['node', '-e', 'setInterval(() => {}, 1e9)'],
        securityContext: { privileged: true, runAsUser: 0, runAsGroup: 0 },
        volumeMounts: [{ name: 'volumes', mountPath: '/volumes' }],
      },
    ],
    volumes: [{ name: 'volumes', hostPath: { path: VOLUMES, type: 'DirectoryOrCreate' } }],
  }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: HANDS_NAMESPACE, labels: level } },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'hands', namespace: HANDS_NAMESPACE },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } },
    },
  ]
}

/** A volume in a folder of one node, for a claim that nobody provides for. */
export function volume(claim: string, node: string): object {
  const hostname = { key: 'kubernetes.io/hostname', operator: 'In', values: [node] }
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `e2e-${claim}`, labels: MARKED },
    spec: {
      capacity: { storage: '2Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path: `${VOLUMES}/${claim}` },
      claimRef: { namespace: NAMESPACE, name: claim },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [hostname] }] } },
    },
  }
}

export function asList(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}
