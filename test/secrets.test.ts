/**
 * No secret comes out of a service or of the command line: not in its log at its most talkative, nor in what it writes to stderr, its
 * answers, its spans, or the names of its processes and threads; whatever goes wrong meanwhile. What jobs and values hold is for those
 * who may see them, and in none of these places either.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { JobServiceService, JobSpec, NamespaceServiceService } from '@offstage/proto/jobs'
import { StorageServiceService } from '@offstage/proto/storage'
import { until } from '@offstage/testkit'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { callAnyRpc } from './cluster/any-rpc.ts'
import { fail, failOnThread, swallow, tell, tellOn } from './cluster/telling-jobs.ts'
import { commandLines } from './secrets/command-lines.ts'
import { type Planted, startPlanted } from './secrets/place.ts'
import { made, shownIn } from './secrets/planted.ts'
import { refusedLogins } from './secrets/refused-logins.ts'

/** What jobs and values hold. */
const payloads = {
  params: made(),
  error: made(),
  threadError: made(),
  scheduled: made(),
  scheduledMisfit: made(),
  streamed: made(),
  misfit: made(),
  noJson: made(),
  refusedJob: made(),
  refusedResult: made(),
  refusedValue: made(),
  value: made(),
  lost: made(),
}

/** What callers send that nobody should, answered. */
async function badCalls({ cluster, secrets, ca }: Planted): Promise<string[]> {
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

/** What a schedule gives its jobs, with a trigger and a due time; and what its method does not take. */
async function scheduled({ offstage }: Planted): Promise<string[]> {
  const times = { intervalMs: 3_600_000, anchor: new Date(Date.now() + 1_000) }
  const params = { text: payloads.scheduled }
  const { id } = await offstage.schedules.create({ ...times, id: 'telling', job: tell, params })
  const job = await offstage.schedules.trigger(id)
  await job.waitForCompletion()
  await until(async () => (await offstage.schedules.get(id)).lastDueTime !== undefined)
  const wrong = { ...times, id: 'wrong', job: 'telling.tell' }
  const misfit = { text: [payloads.scheduledMisfit] }
  return [await offstage.schedules.create({ ...wrong, params: misfit }).then(String, String)]
}

/** Rows that the database refuses: it tells what is in them. */
async function refusedRows({ cluster, offstage }: Planted): Promise<string[]> {
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

/** With the database and NATS away, back but letting nobody in, and as before. */
async function outages({ cluster, offstage, logInWith }: Planted): Promise<void> {
  const { nats, postgres } = cluster
  const [scheduler] = cluster.schedulers
  const says = (text: string) => until(() => scheduler?.process.stdout.includes(text) === true)
  const refuses = (server: { readonly log: string }, whom: RegExp) =>
    until(() => whom.test(server.log), { what: `${whom}` })
  await nats.stop()
  await says('NATS is gone')
  await postgres.stop('immediate')
  const signal = AbortSignal.timeout(2_000)
  await offstage.startJob(tell, { text: payloads.lost }, { signal }).catch(() => {})
  await offstage.storage.put({ text: payloads.lost }, { signal }).catch(() => {})
  await logInWith('wrong')
  await postgres.start()
  await nats.start()
  await refuses(postgres, /password authentication failed for user "offstage"/)
  await refuses(nats, /authentication error - Nkey "U/)
  await refuses(nats, /authentication error - (?:Nkey ""|User)/)
  await logInWith('right')
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
  await using it = await startPlanted()
  const { cluster, offstage, secrets, collector } = it
  expect(await offstage.run(tell, { text: payloads.params })).toEqual({ text: payloads.params })
  await offstage.run(tellOn, { text: payloads.params })
  const answers: string[] = []
  const failed = await offstage.startJob(fail, { text: payloads.error })
  await failed.waitForCompletion()
  await offstage.run(failOnThread, { text: payloads.threadError }).catch(() => {})
  answers.push(...(await scheduled(it)))
  await offstage.run(swallow, Buffer.from(payloads.streamed))
  const { address } = await offstage.storage.put({ text: payloads.value })
  await offstage.storage.get(address)
  answers.push(...(await badCalls(it)), ...(await refusedRows(it)))
  const said = [...(await commandLines(it, failed.id)), ...(await refusedLogins(it))]
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
  for (const { text, has } of said) {
    expect(text).toMatch(has)
    // Who started a job may read what is in it.
    expect(shownIn(text, secrets), text).toEqual([])
  }
  const { misfit: _, noJson: __, scheduledMisfit: ___, ...others } = payloads
  expect(answers.filter((text) => shownIn(text, { ...secrets, ...others }).length > 0)).toEqual([])
})
