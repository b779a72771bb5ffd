import { folderOf, renderText } from '../../k8s/render.ts'
import { VOLUMES, volume } from '../manifests.ts'
import { type Stage, WORKLOADS, type Workload } from '../stage.ts'
import type { Scenario } from '../verdicts.ts'

/** Whom the folders of volumes belong to: the users of these pods. */
const CLAIMS = { 'storage-values': 10001, 'postgres-data': 999 }

export const apply: Scenario = {
  name: 'apply',
  isNeeded: true,
  async run(stage) {
    if (!(await providesVolumes(stage))) await provideVolumes(stage)
    const begunMs = performance.now()
    const overlay = await renderText(folderOf('local'))
    const applied = await stage.cluster.kubectl(['apply', '-f', '-'], overlay)
    const workloads = Object.keys(WORKLOADS) as Workload[]
    for (const workload of workloads) await stage.rolledOut(workload)
    const seconds = ((performance.now() - begunMs) / 1_000).toFixed(0)
    const pods = (await Promise.all(workloads.map((workload) => stage.pods(workload)))).flat()
    const restarts = pods.reduce((sum, pod) => sum + pod.restarts, 0)
    const objects = applied.trim().split('\n').length
    const text = `${objects} objects, ${pods.length} pods ready after ${seconds} s, ${restarts} restarts`
    if (restarts > 0) throw new Error(text)
    return text
  },
}

async function providesVolumes(stage: Stage): Promise<boolean> {
  const { items } = JSON.parse(await stage.cluster.kubectl(['get', 'storageclasses', '-o', 'json']))
  const isDefault = 'storageclass.kubernetes.io/is-default-class'
  return items.some(
    (item: { metadata: { annotations?: Record<string, string> } }) =>
      item.metadata.annotations?.[isDefault] === 'true',
  )
}

const MAKE_FOLDERS = `
  import { chownSync, mkdirSync, rmSync } from 'node:fs'
  for (const [name, user] of Object.entries(JSON.parse(process.argv[1]))) {
    rmSync('/volumes/' + name, { recursive: true, force: true })
    mkdirSync('/volumes/' + name)
    chownSync('/volumes/' + name, user, user)
  }
  console.log('"${VOLUMES}"')`

async function provideVolumes(stage: Stage): Promise<void> {
  const names = await stage.cluster.kubectl(['get', 'nodes', '-o', 'json'])
  const node = JSON.parse(names).items[0].metadata.labels['kubernetes.io/hostname']
  await stage.onNode(node, MAKE_FOLDERS, JSON.stringify(CLAIMS))
  await stage.apply(...Object.keys(CLAIMS).map((claim) => volume(claim, node)))
}
