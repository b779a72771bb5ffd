/**
 * Tries the images of `make images` and the overlay `local` on a real Kubernetes, scenario by scenario. Exit code 1 where one failed, 2
 * where nothing was tried. SCENARIOS names some, KEEP=1 leaves everything as it is at the end.
 */
import { type Cluster, findCluster, NotRun } from './cluster.ts'
import { type Images, imageNames, missingArchives, prepareImages } from './images.ts'
import { asList, HANDS_NAMESPACE, NAMESPACE, nodeHands } from './manifests.ts'
import { SCENARIOS } from './scenarios/mod.ts'
import { Stage } from './stage.ts'
import { closingLine, runScenarios, type Scenario } from './verdicts.ts'

const EXIT_FAILED = 1
const EXIT_NOT_RUN = 2

try {
  const scenarios = chosen(process.env.SCENARIOS ?? '')
  const cluster = await findUsable()
  try {
    await tryAll(cluster, scenarios)
  } finally {
    if (process.env.KEEP !== '1') await cleanUp(cluster)
  }
} catch (error) {
  if (!(error instanceof NotRun)) throw error
  console.error(`not run: ${error.message}`)
  process.exitCode = EXIT_NOT_RUN
}

function chosen(text: string): readonly Scenario[] {
  const names = text.split(/[ ,]+/).filter((name) => name !== '')
  const known = SCENARIOS.map(({ name }) => name)
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new NotRun(`SCENARIOS names ${unknown.join(', ')}: choose of ${known.join(', ')}`)
  if (names.length === 0) return SCENARIOS
  return SCENARIOS.filter((each) => each.isNeeded || names.includes(each.name))
}

/** @throws NotRun */
async function findUsable(): Promise<Cluster> {
  const cluster = findCluster(process.env)
  const missing = missingArchives()
  if (missing.length > 0)
    throw new NotRun(`${missing.join(', ')} is not there: run make images first`)
  const there = await cluster.tryKubectl(['get', 'namespace', NAMESPACE, '-o', 'name'])
  if (there.status === 0)
    throw new NotRun(
      `the cluster has a namespace ${NAMESPACE} already, and this would remove it at the end: use another cluster, or delete it`,
    )
  return cluster
}

async function tryAll(cluster: Cluster, scenarios: readonly Scenario[]): Promise<void> {
  const images: Images = imageNames()
  const archives = prepareImages(images)
  for (const archive of archives) await cluster.load(archive)
  console.log(`${archives.length} images loaded`)
  await cluster.kubectl(['apply', '-f', '-'], asList(nodeHands(images.scheduler)))
  const hands = ['rollout', 'status', 'daemonset/hands', '--timeout=600s']
  await cluster.kubectl(['-n', HANDS_NAMESPACE, ...hands])
  const stage = new Stage(cluster, images)
  const verdicts = await runScenarios(scenarios, stage, (line) => console.log(line))
  if (verdicts.some(({ verdict }) => verdict === 'FAILED')) {
    process.exitCode = EXIT_FAILED
    console.error((await stage.tryKubectl('get', 'pods', '-o', 'wide')).stdout)
  }
  console.log(closingLine(verdicts))
}

async function cleanUp(cluster: Cluster): Promise<void> {
  const quickly = ['--ignore-not-found', '--wait=true', '--timeout=600s']
  await cluster.tryKubectl(['delete', 'namespace', NAMESPACE, ...quickly])
  await cluster.tryKubectl(['delete', 'persistentvolume', '-l', 'offstage-e2e=true', ...quickly])
  await cluster.tryKubectl(['delete', 'namespace', HANDS_NAMESPACE, ...quickly])
}
