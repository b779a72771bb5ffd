/**
 * A rolling update as Kubernetes does it, with everything there are several of: each process is told to stop, has its grace, and
 * is followed on its address by one of the next version, which is waited for, while callers go on without a pause.
 *
 * REHEARSE_SECONDS says how long callers are measured without a roll. With it (`make rehearse`) there are three schedulers and three
 * executors, without it two of each.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { openAudit } from '../cluster/audit.ts'
import { type Cluster, type ClusterMember, startCluster } from '../cluster/cluster.ts'
import { type Load, spread, startLoad } from './load.ts'
import { nextVersion, type Version } from './versions.ts'

const jobs = new URL('./jobs.ts', import.meta.url)
const { REHEARSE_SECONDS } = process.env
const CALM_MS = Number(REHEARSE_SECONDS ?? 2) * 1_000
/** Else they take all the CPU there is, which others need. */
const REST_MS = REHEARSE_SECONDS === undefined ? 60 : 0
const REPLICAS = REHEARSE_SECONDS === undefined ? 2 : 3
const PORT = /"port":(\d+),"msg":"serving probes"/

/** As the kubelet asks it. */
async function isReady({ process }: ClusterMember): Promise<boolean> {
  const [, port] = PORT.exec(process.stdout) ?? []
  const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined)
  return response?.status === 200
}

/** One after another; each ends in order, and the next goes once its successor is ready and callers have got on. */
async function roll(members: readonly ClusterMember[], load: Load, main?: URL): Promise<void> {
  for (const member of members) {
    expect(await member.process.kill('SIGTERM')).toMatchObject({ code: 0 })
    await member.restart(main)
    await until(() => isReady(member), { timeoutMs: 30_000, what: 'the next process to be ready' })
    const before = load.ended.length
    const getOn = () => load.failures.length > 0 || load.ended.length > before + 20
    await until(getOn, { timeoutMs: 30_000, what: 'callers to get on' })
  }
}

async function rollAll({ schedulers, storages, executors }: Cluster, load: Load, next: Version) {
  await roll(schedulers, load, next.file('services/scheduler/src/main.ts'))
  await roll(storages, load, next.file('services/storage/src/main.ts'))
  await roll(executors, load)
}

/** Handlers that were called twice, for whatever attempts. */
const BEGUN_AGAIN = `SELECT count(*)::int AS n FROM (
  SELECT job_id FROM offstage.job_messages GROUP BY job_id HAVING count(*) > 1) again`
const MIGRATED =
  "SELECT count(*)::int AS n FROM information_schema.columns WHERE column_name = 'rehearsed'"

test('a rolling update of every process is noticed by no caller, and no job is lost, doubled or begun again', {
  timeout: 300_000,
}, async () => {
  await using next = await nextVersion()
  const names = ['SCHEDULER', 'STORAGE', 'EXECUTOR'].map((name) => `OFFSTAGE_${name}_HEALTH_PORT`)
  await using cluster = await startCluster({
    jobs,
    schedulers: REPLICAS,
    storage: 2,
    executors: REPLICAS,
    lease: '10s',
    env: Object.fromEntries(names.map((name) => [name, '0'])),
  })
  await using audit = await openAudit(cluster.databaseUrl)
  const places = { scheduler: cluster.target(), storage: cluster.storage }
  await using offstage = await Offstage.connect(places)

  const load = startLoad(offstage, REST_MS)
  await pause(CALM_MS)
  const calm = load.startsMs.length
  await rollAll(cluster, load, next)
  const rolled = load.startsMs.length
  await load.stop()
  console.log(`before the roll: ${spread(load.startsMs.slice(0, calm))}`)
  console.log(`during the roll: ${spread(load.startsMs.slice(calm, rolled))}`)

  expect(load.failures).toEqual([])
  expect(await audit.endedTwice()).toBe(0)
  // Children are among them.
  expect(Object.keys(await audit.states())).toEqual(['5'])
  expect(await audit.count(BEGUN_AGAIN)).toBe(0)
  expect(await audit.count(MIGRATED)).toBe(2)
})
