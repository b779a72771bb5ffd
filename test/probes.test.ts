/** The ports for probes and metrics of services that run as processes of their own. */
import { Offstage } from '@offstage/sdk'
import { createAuthority, scrape, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { createClusterCertificates } from './cluster/certificates.ts'
import { type ClusterMember, startCluster } from './cluster/cluster.ts'
import { steps } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const PROBES = /"port":(\d+),"msg":"serving probes"/

function portOf({ process }: ClusterMember): number {
  const [, port] = PROBES.exec(process.stdout) ?? []
  return Number(port)
}

async function ask(path: string, member: ClusterMember): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${portOf(member)}${path}`)
  return `${response.status} ${(await response.text()).trim()}`
}

test('probes and metrics are answered in plain text beside ports that ask for certificates', async () => {
  await using certificates = await createClusterCertificates(await createAuthority())
  const names = ['SCHEDULER', 'STORAGE', 'EXECUTOR'].map((name) => `OFFSTAGE_${name}_HEALTH_PORT`)
  const env = { ...certificates.env, ...Object.fromEntries(names.map((name) => [name, '0'])) }
  await using cluster = await startCluster({
    jobs,
    schedulers: 1,
    executors: 1,
    storage: true,
    env,
    postgres: {},
  })
  const [scheduler, storage, executor] = cluster.members
  if (!scheduler || !storage || !executor) throw new Error('a service is missing')
  const all = (path: string) => Promise.all(cluster.members.map((member) => ask(path, member)))
  expect(await all('/livez')).toEqual(['200 live', '200 live', '200 live'])
  expect(await all('/readyz')).toEqual(['200 ready', '200 ready', '200 ready'])

  // While the database is away, one replica is as good as another.
  await cluster.postgres.stop('immediate')
  await until(() => scheduler.process.stdout.includes('the database cannot be reached'))
  expect(await all('/readyz')).toEqual(['200 ready', '200 ready', '200 ready'])
  await cluster.postgres.start()

  const { tls } = certificates
  const places = { scheduler: cluster.target(), storage: cluster.storage }
  await using offstage = await Offstage.connect({ ...places, tls })
  const job = await offstage.startJob(steps, { count: 400, everyMs: 10 })
  await until(async () => (await job.refresh()).state === 'running')
  const told = await scrape(portOf(executor))
  expect(told.value('offstage_executor_attached')).toBe(1)
  expect(told.value('offstage_executor_draining')).toBe(0)
  expect(told.value('offstage_executor_slots', { lane: 'work' })).toBe(4)
  expect(told.value('offstage_executor_slots_used', { lane: 'inline' })).toBe(1)
  expect(told.value('offstage_executor_attempts_total', { outcome: 'finished' })).toBe(0)
  expect(told.value('offstage_executor_threads_ended_total', { cause: 'lost' })).toBe(0)
  const whole = await scrape(portOf(scheduler))
  const running = { namespace: 'default', method: steps.method, pool: 'default', state: 'running' }
  expect(whole.value('offstage_jobs', running)).toBe(1)
  expect((await scrape(portOf(storage))).value('offstage_ready')).toBe(1)
  executor.process.signal('SIGTERM')
  await until(async () => (await ask('/readyz', executor)) === '503 draining')
  expect(await ask('/livez', executor)).toBe('200 live')
  await executor.process.exited

  await executor.restart()
  await until(() => executor.process.stdout.includes('"msg":"attached"'))
  await scheduler.process.kill('SIGKILL')
  await until(async () => (await ask('/readyz', executor)) === '503 not attached to a scheduler')
  expect(await ask('/livez', executor)).toBe('200 live')
})
