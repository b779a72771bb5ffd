/** What a node does to a pod: signals for its process, and probes from the node's address. */
import type { Pod, Stage, Workload } from './stage.ts'

const HEALTH_PORTS: Partial<Record<Workload, number>> = {
  scheduler: 7711,
  storage: 7712,
  executor: 7713,
}

/** A process is told by the name of its pod, which is its host's. */
const FIND = `
  import { readdirSync, readFileSync } from 'node:fs'
  const [pod] = process.argv.slice(1)
  const read = (pid, file) => { try { return readFileSync('/proc/' + pid + '/' + file, 'utf8').split('\\0') } catch { return [] } }
  const pids = readdirSync('/proc').filter((pid) => /^\\d+$/.test(pid)
    && read(pid, 'environ').includes('HOSTNAME=' + pod) && /(^|\\/)node$/.test(read(pid, 'cmdline')[0] ?? ''))`

const SIGNAL = `${FIND}
  for (const pid of pids) process.kill(Number(pid), process.argv[2])
  console.log(JSON.stringify(pids.length))`

export async function signalPod(stage: Stage, pod: Pod, signal: NodeJS.Signals): Promise<void> {
  const found = await stage.onNode<number>(pod.node, SIGNAL, pod.name, signal)
  if (found !== 1) throw new Error(`${found} processes of ${pod.name} on ${pod.node}, not one`)
}

const ASK = `
  const answers = {}
  for (const path of ['/livez', '/readyz'])
    answers[path] = await fetch(process.argv[1] + path, { signal: AbortSignal.timeout(10_000) })
      .then(async (answer) => (await answer.text(), answer.status), () => 'silent')
  console.log(JSON.stringify(answers))`

export interface Health {
  readonly '/livez': number | 'silent'
  readonly '/readyz': number | 'silent'
}

/** What the kubelet is answered now. */
export async function askHealth(stage: Stage, workload: Workload, pod: Pod): Promise<Health> {
  return await stage.onNode<Health>(pod.node, ASK, originOf(workload, pod))
}

const END = `${FIND}
  const [, signal, url] = process.argv.slice(1)
  // Nobody listens: what is closed while it is asked is asked again. It is asked all the time: one answer may be slow.
  const isGone = (error) => ['ECONNREFUSED', 'EHOSTUNREACH'].includes(error.cause?.code)
  const ask = () => fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) })
    .then(async (answer) => (await answer.text(), answer.status), (error) => isGone(error) ? 'silent' : undefined)
    .then((answer) => { if (answer !== undefined && !seen.includes(answer)) seen.push(answer) })
  const seen = []
  await ask()
  for (const pid of pids) process.kill(Number(pid), signal)
  while (!seen.includes('silent')) {
    await new Promise((next) => setTimeout(next, 50))
    ask()
  }
  console.log(JSON.stringify(seen))
  process.exit()`

/** Has it end, and resolves to what it answers, each once in order, until it is silent. */
export async function endPod(
  stage: Stage,
  workload: Workload,
  pod: Pod,
  path: '/livez' | '/readyz',
): Promise<(number | 'silent')[]> {
  const url = originOf(workload, pod) + path
  return await stage.onNode(pod.node, END, pod.name, 'SIGTERM', url)
}

function originOf(workload: Workload, { ip }: Pod): string {
  const host = ip.includes(':') ? `[${ip}]` : ip
  return `http://${host}:${HEALTH_PORTS[workload]}`
}
