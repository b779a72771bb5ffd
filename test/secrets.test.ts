/**
 * No secret comes out of a service: not in its log at its most talkative, nor in what it writes to stderr, its answers, its spans, or
 * the names of its processes and threads; whatever goes wrong meanwhile. What jobs and values hold is for those who may see them,
 * and in none of these places either.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { JobServiceService, JobSpec, NamespaceServiceService } from '@offstage/proto/jobs'
import { StorageServiceService } from '@offstage/proto/storage'
import { Offstage } from '@offstage/sdk'
import { createAuthority, startTestIssuer, until } from '@offstage/testkit'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { callAnyRpc } from './cluster/any-rpc.ts'
import { createClusterCertificates } from './cluster/certificates.ts'
import { startCluster } from './cluster/cluster.ts'
import { startCollector } from './cluster/collector.ts'
import { fail, failOnThread, tell } from './cluster/telling-jobs.ts'

const jobs = new URL('./cluster/telling-jobs.ts', import.meta.url)

const made = () => randomBytes(16).toString('hex')

/**
 * As it might show: some of its characters as they are, or as the bytes they stand in are written. Tokens of one issuer begin alike,
 * and what is cut off is cut off at the end.
 */
function formsOf(secret: string): readonly string[] {
  const part = secret.startsWith('eyJ') ? secret.slice(-20) : secret.slice(0, 12)
  const bytes = Buffer.from(part)
  // Within longer bytes base64 has one of three alignments, and other characters at either end.
  const base64 = [0, 1, 2].map((from) => bytes.subarray(from, from + 9).toString('base64'))
  return [part, bytes.toString('hex'), ...base64]
}

/** Which of the secrets the text has in it, by name. */
function shownIn(text: string, secrets: Readonly<Record<string, string>>): string[] {
  const has = (secret: string) => formsOf(secret).some((form) => text.includes(form))
  return Object.entries(secrets).flatMap(([name, secret]) => (has(secret) ? [name] : []))
}

async function place() {
  const it = new AsyncDisposableStack()
  const issuer = it.use(await startTestIssuer())
  const other = it.use(await startTestIssuer({ issuer: 'https://stranger.test' }))
  const sign = issuer.sign.bind(issuer)
  const authority = await createAuthority()
  const certificates = it.use(await createClusterCertificates(authority))
  const { OFFSTAGE_TLS_SERVER_KEY: keyFile = '' } = certificates.env
  const secrets = {
    databasePassword: made(),
    natsPassword: made(),
    executorToken: await sign({ user: 'runner', roles: ['executor'] }),
    userToken: await sign({ user: 'ann', claims: { note: made() } }),
    expiredToken: await sign({ user: 'ann', endsInS: -900 }),
    strangersToken: await other.sign({ user: 'ann' }),
    unsignedToken: `${made()}.${made()}.${made()}`,
    brokenToken: made(),
    basicCredentials: made(),
    privateKey: readFileSync(keyFile, 'utf8').split('\n')[1] ?? '',
  }
  const payloads = {
    params: made(),
    error: made(),
    threadError: made(),
    misfit: made(),
    noJson: made(),
    refusedJob: made(),
    refusedResult: made(),
    refusedValue: made(),
    value: made(),
    lost: made(),
  }
  const collector = it.use(await startCollector())
  const cluster = it.use(
    await startCluster({
      jobs,
      schedulers: 1,
      executors: 1,
      storage: true,
      nats: { user: 'offstage', password: secrets.natsPassword },
      envOf(service, { nats, databaseUrl }) {
        const natsUrl = nats.url.replace('//', `//offstage:${secrets.natsPassword}@`)
        const login = `//postgres:${secrets.databasePassword}@`
        const url = databaseUrl.replace('//postgres@', login)
        const variable = `OFFSTAGE_${service.toUpperCase()}_DATABASE_URL`
        return { OFFSTAGE_NATS_URL: natsUrl, ...(service !== 'executor' && { [variable]: url }) }
      },
      env: {
        ...certificates.env,
        OFFSTAGE_TLS_CLIENT_CA: '',
        OFFSTAGE_IDENTITY: await issuer.identityFile(),
        OFFSTAGE_TOKEN: secrets.executorToken,
        OFFSTAGE_LOG_LEVEL: 'trace',
        OFFSTAGE_OTLP_ENDPOINT: collector.endpoint,
      },
    }),
  )
  const places = { scheduler: cluster.target(), storage: cluster.storage }
  const { ca } = certificates.tls
  const offstage = it.use(
    await Offstage.connect({ ...places, token: secrets.userToken, tls: { ca } }),
  )
  const dispose = () => it.disposeAsync()
  const parts = { secrets, payloads, collector, cluster, offstage, ca: authority.cert }
  return { ...parts, [Symbol.asyncDispose]: dispose }
}

type Place = Awaited<ReturnType<typeof place>>

/** What callers send that nobody should, answered. */
async function badCalls({ cluster, secrets, payloads, ca }: Place): Promise<string[]> {
  const scheduler = cluster.schedulers[0]?.address ?? ''
  const inline = (text: string) => ({ source: { $case: 'inline', value: Buffer.from(text) } })
  const start = (method: string, text: string) => ({
    job: JobSpec.fromPartial({ method, params: inline(text) as never }),
  })
  const as = (authorization: string) =>
    [
      [
        scheduler,
        JobServiceService.startJob,
        start('telling.tell', `{"text":"${payloads.params}"}`),
      ],
      [scheduler, JobServiceService.watchJobs, {}],
      [cluster.storage, StorageServiceService.openScope, {}],
      [cluster.storage, StorageServiceService.putValue, {}],
    ].map(async ([address, definition, request]) => {
      const rpc = { address, ca, definition } as Parameters<typeof callAnyRpc>[0]
      const headers = { authorization, 'offstage-user': secrets.brokenToken }
      return callAnyRpc(rpc, request as object, headers)
    })
  const user = `Bearer ${secrets.userToken}`
  const rpc = { address: scheduler, ca, definition: JobServiceService.startJob }
  const answers = await Promise.all([
    ...as(`Bearer ${secrets.expiredToken}`),
    ...as(`Bearer ${secrets.strangersToken}`),
    ...as(`Bearer ${secrets.unsignedToken}`),
    ...as(`Bearer ${secrets.brokenToken}`),
    ...as(`Basic ${secrets.basicCredentials}`),
    ...as(secrets.brokenToken),
    callAnyRpc(rpc, start('telling.tell', `{"text": ["${payloads.misfit}"]}`), {
      authorization: user,
    }),
    callAnyRpc(rpc, start('telling.tell', `{"text": ${payloads.noJson}}`), { authorization: user }),
    callAnyRpc(
      { ...rpc, definition: NamespaceServiceService.pauseNamespace },
      {},
      { authorization: user },
    ),
  ])
  return answers.map(({ outcome, text }) => `${outcome} ${text}`)
}

/** Rows that the database refuses: it tells what is in them. */
async function refusedRows({ cluster, offstage, payloads }: Place): Promise<string[]> {
  const database = new Client({ connectionString: cluster.databaseUrl })
  await database.connect()
  const refuse = (table: string, condition: string) =>
    database.query(`ALTER TABLE ${table} ADD CONSTRAINT never CHECK (${condition}) NOT VALID`)
  const allow = (table: string) => database.query(`ALTER TABLE ${table} DROP CONSTRAINT never`)
  const told = (work: Promise<unknown>) => work.then(String, (error: Error) => `${error}`)
  await refuse('offstage.jobs', 'false')
  await refuse('offstage_storage.temp_values', 'false')
  const answers = [
    await told(offstage.startJob(tell, { text: payloads.refusedJob })),
    await told(offstage.storage.put({ text: payloads.refusedValue })),
  ]
  await allow('offstage.jobs')
  await allow('offstage_storage.temp_values')
  await refuse('offstage.jobs', 'state <> 5')
  answers.push(await told(offstage.run(tell, { text: payloads.refusedResult })))
  await allow('offstage.jobs')
  await database.end()
  return answers
}

/** With the database and NATS away, and back. */
async function outages({ cluster, offstage, payloads }: Place): Promise<void> {
  const [scheduler] = cluster.schedulers
  const says = (text: string) => until(() => scheduler?.process.stdout.includes(text) === true)
  await cluster.nats.stop()
  await says('NATS is gone')
  await cluster.postgres.stop('immediate')
  const signal = AbortSignal.timeout(2_000)
  await offstage.startJob(tell, { text: payloads.lost }, { signal }).catch(() => {})
  await offstage.storage.put({ text: payloads.lost }, { signal }).catch(() => {})
  await cluster.postgres.start()
  await cluster.nats.start()
  await says('NATS is back')
  await says('the database answers again')
}

/** Names of the process and of its threads. */
function titlesOf(pid: number): string {
  const read = (path: string) => readFileSync(`/proc/${pid}/${path}`, 'utf8')
  const threads = readdirSync(`/proc/${pid}/task`).map((id) => read(`task/${id}/comm`))
  return [read('cmdline'), read('comm'), ...threads].join(' ')
}

test('nothing that services write, answer, export or are called shows a secret', {
  timeout: 120_000,
}, async () => {
  await using it = await place()
  const { cluster, offstage, payloads, secrets, collector } = it
  expect(await offstage.run(tell, { text: payloads.params })).toEqual({ text: payloads.params })
  await offstage.run(fail, { text: payloads.error }).catch(() => {})
  await offstage.run(failOnThread, { text: payloads.threadError }).catch(() => {})
  const { address } = await offstage.storage.put({ text: payloads.value })
  await offstage.storage.get(address)
  const answers = [...(await badCalls(it)), ...(await refusedRows(it))]
  await outages(it)
  expect(await offstage.run(tell, { text: payloads.params })).toEqual({ text: payloads.params })
  const titles = cluster.members.map(({ process: { pid } }) => titlesOf(pid)).join(' ')
  // The last spans leave with the process.
  await Promise.all(cluster.members.map(({ process: child }) => child.kill('SIGTERM')))

  const all = { ...secrets, ...payloads }
  const output = cluster.members.map(({ process: { stdout, stderr } }) => stdout + stderr)
  const spans = collector.received.map((bytes) => bytes.toString('latin1')).join('\n')
  expect(spans.length).toBeGreaterThan(1_000)
  expect(output.map((text) => shownIn(text, all))).toEqual(output.map(() => []))
  expect(shownIn(spans, all)).toEqual([])
  expect(shownIn(titles, all)).toEqual([])
  // Who started a job may read why it failed.
  const { misfit: _, noJson: __, ...others } = payloads
  expect(answers.filter((text) => shownIn(text, { ...secrets, ...others }).length > 0)).toEqual([])
})
