/** What scenarios do to the overlay `local` on a cluster, and see of it. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Cluster, Told } from './cluster.ts'
import type { Images } from './images.ts'
import { asList, HANDS_NAMESPACE, NAMESPACE } from './manifests.ts'

export const WORKLOADS = {
  postgres: 'statefulset/postgres',
  nats: 'deployment/nats',
  scheduler: 'deployment/scheduler',
  storage: 'statefulset/storage',
  executor: 'deployment/executor',
} as const
export type Workload = keyof typeof WORKLOADS

export interface Pod {
  readonly name: string
  readonly ip: string
  readonly node: string
  readonly isReady: boolean
  readonly restarts: number
  /** Why its container does not run, such as ErrImagePull; empty where it does. */
  readonly waitsFor: string
}

/** What comes about is waited for no longer than it takes: so this is for a machine that has much else to do. */
const PATIENCE_S = 600

export class Stage {
  readonly cluster: Cluster
  readonly images: Images

  constructor(cluster: Cluster, images: Images) {
    this.cluster = cluster
    this.images = images
  }

  /** In the namespace of Offstage. */
  kubectl(...arguments_: string[]): Promise<string> {
    return this.cluster.kubectl(['-n', NAMESPACE, ...arguments_])
  }

  tryKubectl(...arguments_: string[]): Promise<Told> {
    return this.cluster.tryKubectl(['-n', NAMESPACE, ...arguments_])
  }

  apply(...items: object[]): Promise<string> {
    return this.cluster.kubectl(['apply', '-f', '-'], asList(items))
  }

  /** Waits until all of a workload is as it should be. */
  async rolledOut(workload: Workload): Promise<void> {
    const timeout = `--timeout=${PATIENCE_S}s`
    await this.kubectl('rollout', 'status', WORKLOADS[workload], timeout)
  }

  async restart(workload: Workload): Promise<void> {
    await this.kubectl('rollout', 'restart', WORKLOADS[workload])
    await this.rolledOut(workload)
  }

  /** To none it waits until nothing of it is left. */
  async scale(workload: Workload, replicas: number): Promise<void> {
    await this.kubectl('scale', WORKLOADS[workload], `--replicas=${replicas}`)
    if (replicas > 0) return await this.rolledOut(workload)
    await until(async () => (await this.pods(workload)).length === 0, `no ${workload}`)
  }

  async pods(workload: Workload): Promise<Pod[]> {
    return await this.podsWith(NAMESPACE, `app.kubernetes.io/name=${workload}`)
  }

  /** One that serves. */
  async readyPod(workload: Workload): Promise<Pod> {
    const pod = (await this.pods(workload)).find(({ isReady }) => isReady)
    if (pod === undefined) throw new Error(`no pod of ${workload} is ready`)
    return pod
  }

  async podReady(name: string): Promise<void> {
    await this.kubectl('wait', '--for=condition=Ready', `pod/${name}`, `--timeout=${PATIENCE_S}s`)
  }

  /** Runs a module of Node, given as text, in a pod of ours; resolves to what it prints as JSON. */
  async node<T>(pod: string, script: string, ...arguments_: string[]): Promise<T> {
    const run = ['exec', pod, '--', 'node', '--input-type=module', '-e', script]
    return JSON.parse(await this.kubectl(...run, ...arguments_))
  }

  /** The same on a node, with all rights there. */
  async onNode<T>(node: string, script: string, ...arguments_: string[]): Promise<T> {
    const hands = (await this.podsWith(HANDS_NAMESPACE, 'app=hands')).find(
      (pod) => pod.node === node,
    )
    if (hands === undefined) throw new Error(`no hands on the node ${node}`)
    const run = ['exec', hands.name, '--', 'node', '--input-type=module', '-e', script]
    return JSON.parse(await this.cluster.kubectl(['-n', HANDS_NAMESPACE, ...run, ...arguments_]))
  }

  private async podsWith(namespace: string, selector: string): Promise<Pod[]> {
    const asked = ['-n', namespace, 'get', 'pods', '-l', selector, '-o', 'json']
    const { items } = JSON.parse(await this.cluster.kubectl(asked))
    return items.map(podFrom)
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as kubectl prints it
function podFrom({ metadata, spec, status }: any): Pod {
  const [container] = status.containerStatuses ?? []
  return {
    name: metadata.name,
    ip: status.podIP ?? '',
    node: spec.nodeName ?? '',
    isReady: metadata.deletionTimestamp === undefined && container?.ready === true,
    restarts: container?.restartCount ?? 0,
    waitsFor: container?.state?.waiting?.reason ?? '',
  }
}

/** Asks until it is so. @throws Error with `what` where it does not come about */
export async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + PATIENCE_S * 1_000
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`waited ${PATIENCE_S} s for ${what}`)
    await pause(500)
  }
}
