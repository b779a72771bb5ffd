/** Jobs from pods: by the SDK, and by another language that has the proto files only. */
import { startCaller } from '../caller.ts'
import { callerJob, callerPod } from '../manifests.ts'
import { type Stage, until, WORKLOADS } from '../stage.ts'
import type { Scenario } from '../verdicts.ts'

export const flightReport: Scenario = {
  name: 'flight-report',
  async run(stage) {
    const image = stage.images.flightReport
    const command = ['node', '/flight-report/main.ts']
    await stage.apply(
      callerJob({ name: 'report', image, command, account: 'client', isClient: true }),
    )
    await jobEnded(stage, 'report')
    const log = await stage.kubectl('logs', 'job/report')
    return log.trim().split('\n').at(-1) ?? ''
  },
}

/** Which leaves the executors with the jobs that the next scenarios start, and their caller. */
export const nextImage: Scenario = {
  name: 'next-image',
  isNeeded: true,
  async run(stage) {
    await stage.kubectl('set', 'image', WORKLOADS.executor, `executor=${stage.images.next}`)
    await stage.rolledOut('executor')
    await startCaller(stage)
    return `${(await stage.pods('executor')).length} executors with jobs of a user`
  },
}

export const python: Scenario = {
  name: 'python',
  async run(stage) {
    await startPython(stage, 'python-client', 'client')
    const told = JSON.parse(
      await inPython(stage, 'python-client', 'start.py', 'e2e.echo', '{"text":"Grüße","ms":5}'),
    )
    if (told.state !== 'JOB_STATE_SUCCEEDED' || told.result !== 'Grüße')
      throw new Error(JSON.stringify(told))
    return `job ${told.job} ${told.state}`
  },
}

export const strangers: Scenario = {
  name: 'strangers',
  async run(stage) {
    await startPython(stage, 'python-stranger', 'default')
    const { status, stderr } = await stage.tryKubectl(
      ...['exec', 'python-stranger', '--', 'python3', '/start.py', 'e2e.echo', '{}'],
    )
    const refusal = /StatusCode\.(\w+)/.exec(stderr)?.[1] ?? stderr.slice(-300)
    if (status === 0 || !['PERMISSION_DENIED', 'UNAUTHENTICATED'].includes(refusal))
      throw new Error(`a pod whose account nobody knows: ${refusal}`)
    return `an account that identity.json does not name: ${refusal}`
  },
}

export async function startPython(
  stage: Stage,
  name: string,
  account: 'client' | 'admin' | 'default',
): Promise<void> {
  const command = ['python3', '/generate.py']
  const image = stage.images.python
  await stage.apply(callerPod({ name, image, command, account, isClient: true }))
  await stage.podReady(name)
  const isGenerated = async () => (await stage.kubectl('logs', name)).includes('generated')
  await until(isGenerated, 'the Python client to be generated')
}

export function inPython(stage: Stage, pod: string, ...command: string[]): Promise<string> {
  const [script = '', ...arguments_] = command
  return stage.kubectl('exec', pod, '--', 'python3', `/${script}`, ...arguments_)
}

async function jobEnded(stage: Stage, name: string): Promise<void> {
  const status = async () => {
    const path = '-o=jsonpath={.status.succeeded}/{.status.failed}'
    return (await stage.kubectl('get', 'job', name, path)).trim()
  }
  await until(async () => (await status()) !== '/', `the job ${name} to end`)
  if ((await status()).startsWith('1')) return
  const { stdout } = await stage.tryKubectl('logs', `job/${name}`)
  throw new Error(`${name} failed: ${stdout.slice(-1_000)}`)
}
