/**
 * The cluster that is tried on: KUBECTL is the command that asks it (`kubectl` where it is not set, which goes by KUBECONFIG), K8S_IMPORT
 * the one that gives it the archive of an image, whose path comes last.
 */
import { spawn, spawnSync } from 'node:child_process'

export interface Cluster {
  /** @throws Error with what kubectl said, where it failed */
  kubectl(arguments_: readonly string[], input?: string): Promise<string>
  /** As {@link kubectl}, for what may fail. */
  tryKubectl(arguments_: readonly string[], input?: string): Promise<Told>
  load(archive: string): Promise<void>
}

export interface Told {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Nothing could be tried, as a whole or in a scenario, and why. */
export class NotRun extends Error {}

const IMPORTS = "'kind load image-archive', 'ctr -n k8s.io images import'"

/** @throws NotRun with what is missing */
export function findCluster(environment: NodeJS.ProcessEnv): Cluster {
  const { KUBECTL = '', K8S_IMPORT = '', KUBECONFIG } = environment
  const command = KUBECTL === '' ? ['kubectl'] : KUBECTL.split(' ')
  if (K8S_IMPORT === '') {
    throw new NotRun(
      `K8S_IMPORT is not set: name the command that gives an image archive to your cluster, such as ${IMPORTS}`,
    )
  }
  const ask = [...command.slice(1), 'get', '--raw', '/readyz', '--request-timeout=10s']
  const { status, stderr, error } = spawnSync(command[0] ?? '', ask, { encoding: 'utf8' })
  if (status !== 0) {
    const where = `KUBECONFIG is ${KUBECONFIG || 'not set'}, KUBECTL ${KUBECTL || 'not set'}`
    const said = error?.message ?? stderr.trim()
    throw new NotRun(`no cluster answers (${where}): ${said}. Name one by KUBECONFIG or KUBECTL`)
  }
  return clusterOf(command, K8S_IMPORT.split(' '))
}

function clusterOf(command: readonly string[], importing: readonly string[]): Cluster {
  const tryKubectl = (arguments_: readonly string[], input?: string) =>
    tell([...command, ...arguments_], input)
  return {
    tryKubectl,
    async kubectl(arguments_, input) {
      const { status, stdout, stderr } = await tryKubectl(arguments_, input)
      if (status === 0) return stdout
      throw new Error(`kubectl ${arguments_.join(' ').slice(0, 200)}: ${stderr.trim()}`)
    },
    async load(archive) {
      const { status, stderr } = await tell([...importing, archive])
      if (status !== 0) throw new Error(`${importing.join(' ')} ${archive}: ${stderr.trim()}`)
    },
  }
}

function tell([program = '', ...arguments_]: readonly string[], input = ''): Promise<Told> {
  const { promise, resolve, reject } = Promise.withResolvers<Told>()
  const child = spawn(program, arguments_)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  // A program that reads nothing ends before it is told.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  child.on('error', reject).on('close', (status) => resolve({ status, stdout, stderr }))
  return promise
}
