/** Each rule is broken once, so that it is seen to hold. */
import { expect, test } from 'vitest'
import { faultsIn } from './check.ts'
import type { Manifest } from './manifests.ts'
import { folderOf, render } from './render.ts'

type Json = { [key: string]: Json } & Json[] & (string | number | boolean | undefined)
type Find = (kind: string, name: string) => Json

const container = (find: Find, kind = 'Deployment', name = 'scheduler'): Json =>
  at(find(kind, name), 'spec', 'template', 'spec', 'containers', 0)
const pod = (find: Find, kind = 'Deployment', name = 'scheduler'): Json =>
  at(find(kind, name), 'spec', 'template', 'spec')

/** What is done to the overlay `local`, and what is said of it. */
const broken: [what: string, breakIt: (find: Find) => void, fault: string][] = [
  [
    'a field that Kubernetes does not know',
    (find) => Object.assign(pod(find), { restartPolice: 'Always' }),
    'Deployment scheduler: /spec/template/spec must NOT have additional properties (restartPolice)',
  ],
  [
    'a field of the wrong type',
    (find) => Object.assign(at(find('Deployment', 'executor'), 'spec'), { replicas: 'two' }),
    'Deployment executor: /spec/replicas must be integer',
  ],
  [
    'a kind that has no schema',
    (find) => Object.assign(find('Service', 'nats'), { kind: 'Servant' }),
    'Servant nats: no schema of v1 Servant',
  ],
  [
    'a grace no longer than the drain',
    (find) =>
      Object.assign(pod(find, 'Deployment', 'executor'), { terminationGracePeriodSeconds: 30 }),
    'Deployment executor: terminationGracePeriodSeconds is 30, must be over 30: preStop, and what stopping takes',
  ],
  [
    'a drain that outgrew the grace',
    (find) =>
      Object.assign(
        variable(container(find, 'Deployment', 'executor'), 'OFFSTAGE_EXECUTOR_DRAIN_GRACE'),
        {
          value: '5m',
        },
      ),
    'Deployment executor: terminationGracePeriodSeconds is 45, must be over 310: preStop, and what stopping takes',
  ],
  [
    'a variable that nobody reads',
    (find) => push(at(container(find), 'env'), { name: 'OFFSTAGE_SCHEDULR_PORT', value: '1' }),
    'Deployment scheduler: docs/configuration.md has no OFFSTAGE_SCHEDULR_PORT for it',
  ],
  [
    'a variable of another service',
    (find) => push(at(container(find), 'env'), { name: 'OFFSTAGE_JOBS', value: '/jobs' }),
    'Deployment scheduler: docs/configuration.md has no OFFSTAGE_JOBS for it',
  ],
  [
    'a variable that is set twice',
    (find) => push(at(container(find), 'env'), { name: 'OFFSTAGE_TLS', value: 'off' }),
    'Deployment scheduler: OFFSTAGE_TLS is there twice',
  ],
  [
    'a Service that selects nothing',
    (find) => Object.assign(at(find('Service', 'storage'), 'spec', 'selector'), { app: 'x' }),
    'Service storage: selects the pods of 0 workloads, must be of one',
  ],
  [
    'a Service whose port no container has',
    (find) =>
      Object.assign(at(find('Service', 'storage'), 'spec', 'ports', 0), { targetPort: 'http' }),
    'Service storage: no container has a port named http',
  ],
  [
    'a workload that does not select its own pods',
    (find) =>
      Object.assign(at(find('Deployment', 'executor'), 'spec', 'selector', 'matchLabels'), {
        app: 'x',
      }),
    'Deployment executor: its selector does not take its own pods',
  ],
  [
    'a ConfigMap that is not there',
    (find) => Object.assign(find('ConfigMap', 'identity'), { metadata: { name: 'identities' } }),
    'Deployment scheduler: there is no ConfigMap identity',
  ],
  [
    'replicas that nobody sets',
    (find) => Object.assign(at(find('Deployment', 'executor'), 'spec'), { replicas: undefined }),
    'Deployment executor: its replicas are set by 0, must be by one',
  ],
  [
    'a probe that is missing',
    (find) => Object.assign(container(find), { livenessProbe: undefined }),
    'Deployment scheduler: has no livenessProbe',
  ],
  [
    'a liveness that waits for readiness',
    (find) => Object.assign(at(container(find), 'livenessProbe', 'httpGet'), { path: '/readyz' }),
    'Deployment scheduler: livenessProbe must ask /livez',
  ],
  [
    'a start without time for migrations',
    (find) => Object.assign(at(container(find), 'startupProbe'), { failureThreshold: 30 }),
    'Deployment scheduler: startupProbe gives up after 60 s, migrations may take 600',
  ],
  [
    'memory without a limit',
    (find) => Object.assign(at(container(find), 'resources'), { limits: {} }),
    'Deployment scheduler: scheduler: has no limit of memory',
  ],
  [
    'no request of CPU',
    (find) => Object.assign(at(container(find), 'resources', 'requests'), { cpu: undefined }),
    'Deployment scheduler: scheduler: requests no cpu',
  ],
  [
    'a container that may write its image',
    (find) =>
      Object.assign(at(container(find), 'securityContext'), { readOnlyRootFilesystem: false }),
    'Deployment scheduler: scheduler: readOnlyRootFilesystem must be true',
  ],
  [
    'a pod of root',
    (find) =>
      Object.assign(at(pod(find), 'securityContext'), { runAsNonRoot: false, runAsUser: 0 }),
    'Deployment scheduler: runAsUser must be a user other than root',
  ],
  [
    'a token that nobody needs',
    (find) => Object.assign(pod(find), { automountServiceAccountToken: true }),
    'Deployment scheduler: automountServiceAccountToken must be false: project a token where one is needed',
  ],
  [
    'a namespace that lets every pod in',
    (find) => Object.assign(at(find('Namespace', 'offstage'), 'metadata'), { labels: {} }),
    'Namespace offstage: does not enforce restricted pods',
  ],
  [
    'the tag latest',
    (find) => Object.assign(container(find), { image: 'offstage/scheduler:latest' }),
    'Deployment scheduler: scheduler: its image offstage/scheduler:latest has no tag that stays what it is',
  ],
  [
    'an image without a tag',
    (find) => Object.assign(container(find), { image: 'registry:5000/offstage/scheduler' }),
    'Deployment scheduler: scheduler: its image registry:5000/offstage/scheduler has no tag that stays what it is',
  ],
  [
    'a Service whose variables would be taken for settings',
    (find) => Object.assign(at(find('Service', 'nats'), 'metadata'), { name: 'offstage-nats' }),
    'Service offstage-nats: may not begin with offstage',
  ],
  [
    'no PodDisruptionBudget',
    (find) =>
      Object.assign(at(find('PodDisruptionBudget', 'executor'), 'spec'), { maxUnavailable: 0 }),
    'Deployment executor: must have one PodDisruptionBudget, with maxUnavailable of at least 1',
  ],
  [
    'replicas that may all be on one node',
    (find) => Object.assign(pod(find), { topologySpreadConstraints: [] }),
    'Deployment scheduler: must have a topologySpreadConstraint that takes its pods',
  ],
  [
    'a policy that lets everybody in',
    (find) =>
      Object.assign(at(find('NetworkPolicy', 'scheduler'), 'spec', 'ingress', 0), { from: [] }),
    'NetworkPolicy: stranger → scheduler is allowed, and nobody needs it',
  ],
  [
    'no policy that denies by default',
    (find) =>
      Object.assign(at(find('NetworkPolicy', 'default-deny'), 'spec'), {
        podSelector: { matchLabels: { a: 'b' } },
      }),
    'NetworkPolicy: stranger → neighbour (http) is allowed, and nobody needs it',
  ],
  [
    'an arrow that is not allowed',
    (find) => Object.assign(at(find('NetworkPolicy', 'storage'), 'spec'), { egress: [] }),
    'NetworkPolicy: storage → scheduler is not allowed, and is needed',
  ],
]

test.each(broken)('%s is found', async (_what, breakIt, fault) => {
  const manifests = structuredClone(await local)
  breakIt((kind, name) => {
    const found = manifests.find((each) => each.kind === kind && each.metadata.name === name)
    if (found === undefined) throw new Error(`there is no ${kind} ${name}`)
    return found as unknown as Json
  })
  expect(faultsIn(manifests)).toContain(fault)
})

const local: Promise<Manifest[]> = render(folderOf('local'))

function at(value: Json, ...path: (string | number)[]): Json {
  return path.reduce((found, key) => (found as Record<string | number, Json>)[key] as Json, value)
}

function variable(of: Json, name: string): Json {
  const found = (at(of, 'env') as Json[]).find((each) => at(each, 'name') === name)
  if (found === undefined) throw new Error(`there is no ${name}`)
  return found
}

function push(list: Json, value: object): void {
  ;(list as unknown as object[]).push(value)
}
