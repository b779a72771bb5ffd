import { underLoad } from '../caller.ts'
import { askHealth, endPod, type Health } from '../node-hands.ts'
import { type Stage, until, type Workload } from '../stage.ts'
import type { Scenario } from '../verdicts.ts'

const SERVICES = ['scheduler', 'storage', 'executor'] as const

/** What the kubelet is answered: by what serves, ends, waits for others, and begins without its database. */
export const probes: Scenario = {
  name: 'probes',
  async run(stage) {
    for (const workload of SERVICES) expectHealth(await one(stage, workload), 200, 200, workload)
    const ending = await endBusy(stage)
    await alone(stage)
    const restarts = await beginWithoutDatabase(stage)
    return `serving 200/200, ending ${ending.join(' → ')}, executor alone 200/503, beginning without a database 200/503 and ${restarts} restarts`
  },
}

async function one(stage: Stage, workload: Workload): Promise<Health> {
  return await askHealth(stage, workload, await stage.readyPod(workload))
}

/** Ready, then not, and gone: under load, as one that has nothing open is gone at once. */
async function endBusy(stage: Stage): Promise<(number | 'silent')[]> {
  let seen: (number | 'silent')[] = []
  await underLoad(stage, async () => {
    const pod = await stage.readyPod('scheduler')
    seen = await endPod(stage, 'scheduler', pod, '/readyz')
    await stage.rolledOut('scheduler')
  })
  if (seen.join() === '200,503,silent') return seen
  throw new Error(`a scheduler that ends answered ${seen.join(', ')}`)
}

async function alone(stage: Stage): Promise<void> {
  await stage.scale('scheduler', 0)
  try {
    const [executor] = await stage.pods('executor')
    if (executor === undefined) throw new Error('no executor')
    const isUnready = async () => (await askHealth(stage, 'executor', executor))['/readyz'] === 503
    await until(isUnready, 'an executor without a scheduler to be unready')
    expectHealth(await askHealth(stage, 'executor', executor), 200, 503, 'an executor alone')
  } finally {
    await stage.scale('scheduler', 2)
    await stage.rolledOut('executor')
  }
}

async function beginWithoutDatabase(stage: Stage): Promise<number> {
  await stage.scale('scheduler', 0)
  await stage.scale('postgres', 0)
  try {
    await stage.kubectl('scale', 'deployment/scheduler', '--replicas=2')
    const begins = async () => {
      const pods = await stage.pods('scheduler')
      const told = await Promise.all(pods.map((pod) => askHealth(stage, 'scheduler', pod)))
      return told.length === 2 && told.every((health) => health['/livez'] === 200)
    }
    await until(begins, 'schedulers to be alive without their database')
    const [pod] = await stage.pods('scheduler')
    if (pod === undefined) throw new Error('no scheduler')
    expectHealth(await askHealth(stage, 'scheduler', pod), 200, 503, 'a scheduler that begins')
  } finally {
    await stage.scale('postgres', 1)
    await stage.scale('scheduler', 2)
  }
  const pods = await stage.pods('scheduler')
  return pods.reduce((sum, pod) => sum + pod.restarts, 0)
}

function expectHealth(health: Health, livez: number, readyz: number, who: string): void {
  if (health['/livez'] === livez && health['/readyz'] === readyz) return
  throw new Error(`${who} answered ${JSON.stringify(health)}, not ${livez} and ${readyz}`)
}
