/** The services as processes of their own that speak mutual TLS with each other and with clients. */
import { execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type ConnectOptions, Offstage } from '@offstage/sdk'
import { createAuthority, programOf, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { clientOf, createClusterCertificates } from './cluster/certificates.ts'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { double, family, turnRound } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)

test('services and clients do all their work over mutual TLS, and strangers get nowhere', async () => {
  const authority = await createAuthority()
  await using certificates = await createClusterCertificates(authority)
  const { env, tls } = certificates
  await using cluster = await startCluster({
    jobs,
    schedulers: 1,
    executors: 1,
    storage: true,
    env,
    envOf: (service) => (service === 'executor' ? { OFFSTAGE_EXECUTOR_PROCESS_SLOTS: '1' } : {}),
  })
  const places = { scheduler: cluster.target(), storage: cluster.storage }
  await using offstage = await Offstage.connect({ ...places, tls })
  expect(await offstage.run(family, { n: 21 })).toBe(42)
  expect(await offstage.run(family, { n: 4 }, { lane: 'process' })).toBe(8)
  const text = 'large '.repeat(400_000)
  expect((await offstage.run(turnRound, { text })).text).toHaveLength(text.length)

  const main = fileURLToPath(new URL('../cli/src/main.ts', import.meta.url))
  const command = (args: string[]) =>
    promisify(execFile)(process.execPath, [programOf(main), ...args], {
      env: { ...process.env, ...env, OFFSTAGE_SCHEDULER: cluster.schedulers[0]?.address },
    })
  const job = await offstage.startJob(double, { n: 1 })
  expect(JSON.parse((await command(['get', job.id])).stdout)).toMatchObject({ id: job.id })

  const connecting = (other: Parameters<typeof Offstage.connect>[0]) =>
    Offstage.connect({ ...places, ...other })
  await using stranger = await clientOf(await createAuthority(), authority)
  await expect(connecting({ tls: stranger.files })).rejects.toThrow('cannot reach the scheduler')
  await expect(connecting({ tls: { ca: tls.ca } })).rejects.toThrow('cannot reach the scheduler')
  await expect(connecting({ tls: false })).rejects.toThrow('cannot reach the scheduler')
  await expect(connecting({ tls: { ca: '/none.pem' } })).rejects.toThrow(
    'tls.ca: the file /none.pem does not exist',
  )
  await using misled = await clientOf(authority, await createAuthority())
  await expect(connecting({ tls: misled.files })).rejects.toThrow(/certificate/)
})

test('certificates, keys and authorities are replaced while jobs flow, and no call fails', {
  timeout: 180_000,
}, async () => {
  const [old, next] = [await createAuthority('old'), await createAuthority('next')]
  await using certificates = await createClusterCertificates(old)
  const { env, tls } = certificates
  await using cluster = await startCluster({
    jobs,
    schedulers: 2,
    executors: 2,
    storage: true,
    env,
  })
  const places = { scheduler: cluster.target(), storage: cluster.storage }
  await using staying = await Offstage.connect({ ...places, tls })
  const over = new AbortController()
  const flow = jobsFlow(over.signal, staying, () => connectWhole({ ...places, tls }))

  for (const replace of [
    () => certificates.trust(old, next),
    () => certificates.signBy(next),
    () => certificates.trust(next),
  ]) {
    const before = flow.counts()
    const changes = cluster.members.map(changesOf)
    await replace()
    const isDone = () => cluster.members.every((one, at) => changesOf(one) > (changes[at] ?? 0))
    await until(isDone, { timeoutMs: 30_000, what: 'every process to use the new files' })
    const flows = () => flow.counts().every((count, at) => count > (before[at] ?? 0) + 5)
    await until(() => flow.failed() || flows(), { timeoutMs: 30_000, what: 'jobs to flow on' })
  }
  over.abort()
  await flow.ended

  await using late = await clientOf(old, next)
  await expect(Offstage.connect({ ...places, tls: late.files })).rejects.toThrow('cannot reach')
  const [executor] = cluster.executors
  await executor?.process.kill('SIGTERM')
  await executor?.restart()
  await until(() => executor?.process.stdout.includes('"msg":"attached"') === true)
  expect(await staying.run(double, { n: 4 })).toBe(8)
})

/** Who connects between the replacement of a certificate and that of its key is told so, and connects again. */
async function connectWhole(options: ConnectOptions): Promise<Offstage> {
  for (;;) {
    try {
      return await Offstage.connect(options)
    } catch (error) {
      if (!(error instanceof TypeError && error.message.includes('is not that of'))) throw error
      // Or the key would never be written.
      await pause(1)
    }
  }
}

/** How often a process has said that new certificates are in use; an executor says so of its port and of its calls. */
function changesOf({ process }: Cluster['members'][number]): number {
  const said = (which: string) =>
    process.stdout.split(`new certificates ${which} are in use`).length
  const calls = said('for calls')
  return process.stdout.includes('"name":"executor"')
    ? Math.min(said('of the port'), calls)
    : said('of the port')
}

/** Else they take all the CPU there is. */
const REST_MS = 30

/** Jobs on a connection that stays and on ever new ones, until the signal. `ended` rejects with the first failure. */
function jobsFlow(signal: AbortSignal, staying: Offstage, connect: () => Promise<Offstage>) {
  const done = { staying: 0, fresh: 0 }
  const onOne = async () => {
    for (let n = 0; !signal.aborted; n += 1) {
      expect(await staying.run(family, { n })).toBe(2 * n)
      done.staying += 1
      await pause(REST_MS)
    }
  }
  const onFresh = async () => {
    for (let n = 0; !signal.aborted; n += 1) {
      await using client = await connect()
      expect(await client.run(double, { n })).toBe(2 * n)
      done.fresh += 1
      await pause(REST_MS)
    }
  }
  let failed = false
  const ended = Promise.all([onOne(), onFresh(), onFresh()])
  ended.catch(() => {
    failed = true
  })
  return { counts: () => [done.staying, done.fresh], failed: () => failed, ended }
}
