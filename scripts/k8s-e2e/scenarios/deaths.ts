/** Processes that end or hang under load, and a node that is emptied. */
import { type Allowances, underLoad } from '../caller.ts'
import { signalPod } from '../node-hands.ts'
import { type Stage, until, type Workload } from '../stage.ts'
import type { Scenario } from '../verdicts.ts'

export const killExecutor = kill('executor')
export const killScheduler = kill('scheduler')
/** There is no other one; who asks it meanwhile is told so, once the SDK has repeated the call. */
export const killStorage = kill('storage', { mayFailWith: 'SERVICE_UNREACHABLE' })

function kill(workload: Workload, allowances: Allowances = {}): Scenario {
  return {
    name: `kill-${workload}`,
    run: (stage) =>
      underLoad(stage, () => restartedBy(stage, workload, 'SIGKILL'), {
        mayCallAgain: true,
        ...allowances,
      }),
  }
}

/** Its probe is not answered any more, and the kubelet starts it again. */
export const liveness: Scenario = {
  name: 'liveness',
  async run(stage) {
    let seconds = 0
    const figure = await underLoad(
      stage,
      async () => {
        const begunMs = performance.now()
        await restartedBy(stage, 'scheduler', 'SIGSTOP')
        seconds = (performance.now() - begunMs) / 1_000
      },
      { mayCallAgain: true },
    )
    return `started again and ready after ${seconds.toFixed(0)} s; ${figure}`
  },
}

async function restartedBy(
  stage: Stage,
  workload: Workload,
  signal: NodeJS.Signals,
): Promise<void> {
  const pod = await stage.readyPod(workload)
  await signalPod(stage, pod, signal)
  const isBack = async () => {
    const now = (await stage.pods(workload)).find(({ name }) => name === pod.name)
    return now !== undefined && now.restarts > pod.restarts && now.isReady
  }
  await until(isBack, `${pod.name} to be started again`)
}

/** No node takes what is evicted, so the budgets hold back the rest. */
export const drain: Scenario = {
  name: 'drain',
  run: (stage) => underLoad(stage, () => drainAll(stage), { mayCallAgain: true }),
}

async function drainAll(stage: Stage): Promise<void> {
  const { cluster } = stage
  const nodes = (await cluster.kubectl(['get', 'nodes', '-o', 'name'])).trim().split('\n')
  const before = await served(stage)
  const selector = '--pod-selector=app.kubernetes.io/name in (scheduler,executor)'
  const flags = ['--ignore-daemonsets', '--delete-emptydir-data', '--timeout=25s', selector]
  await cluster.kubectl(['cordon', ...nodes])
  try {
    const { status, stderr } = await cluster.tryKubectl(['drain', ...nodes, ...flags])
    if (status === 0 || !stderr.includes('disruption budget'))
      throw new Error(`it was not held: ${stderr.trim().slice(-500)}`)
    const left = await served(stage)
    if (left.some((count, at) => count !== (before[at] ?? 0) - 1))
      throw new Error(`of ${before} schedulers and executors ${left} were left`)
  } finally {
    await cluster.kubectl(['uncordon', ...nodes])
  }
  await stage.rolledOut('scheduler')
  await stage.rolledOut('executor')
}

async function served(stage: Stage): Promise<number[]> {
  const workloads = ['scheduler', 'executor'] as const
  const pods = await Promise.all(workloads.map((workload) => stage.pods(workload)))
  return pods.map((list) => list.filter(({ isReady }) => isReady).length)
}
