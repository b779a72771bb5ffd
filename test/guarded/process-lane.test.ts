/** Handlers in processes where the services ask for certificates: they call by the token of their attempt, and have nothing else of their executor. */

import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Metadata } from '@grpc/grpc-js'
import { JobServiceClient, ListJobsRequest } from '@offstage/proto/jobs'
import { Offstage } from '@offstage/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../cluster/cluster.ts'
import { family, turnRound } from '../cluster/jobs.ts'
import { accessTo } from './access.ts'
import { intrude } from './process-jobs.ts'

const { env } = process
const pem = (name: string) => readFile(env[name] ?? '')
const lane = 'process'

const resources = new AsyncDisposableStack()
let cluster: Cluster
let offstage: Offstage
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'own-'))
  resources.defer(() => rm(folder, { recursive: true }))
  // The very certificate that the executor shows is that of an administrator.
  const { subject } = new X509Certificate(await pem('OFFSTAGE_TLS_CERT'))
  const grant = { subject: /CN=(.+)/.exec(subject)?.[1], roles: ['admin'], namespaces: ['default'] }
  const identity = JSON.parse(String(await pem('OFFSTAGE_IDENTITY')))
  const path = join(folder, 'identity.json')
  await writeFile(path, JSON.stringify({ ...identity, certificates: [grant] }))
  cluster = resources.use(
    await startCluster({
      jobs: new URL('../cluster/jobs.ts', import.meta.url),
      ...{ schedulers: 1, executors: 1, storage: true },
      envOf: (service) =>
        service === 'executor'
          ? {
              OFFSTAGE_EXECUTOR_PROCESS_SLOTS: '2',
              // Of its own: tests beside this one have relays, too.
              TMPDIR: folder,
              OFFSTAGE_JOBS: ['../cluster/jobs.ts', './process-jobs.ts']
                .map((name) => new URL(name, import.meta.url).pathname)
                .join(),
            }
          : { OFFSTAGE_IDENTITY: path },
    }),
  )
  const places = { scheduler: cluster.target(), storage: cluster.storage }
  offstage = resources.use(await Offstage.connect(places))
}, 60_000)
afterAll(() => resources.disposeAsync())

test('a handler in a process starts children, keeps values, and takes and gives large ones', async () => {
  expect(await offstage.run(family, { n: 21 }, { lane })).toBe(42)
  const text = 'large '.repeat(400_000)
  expect((await offstage.run(turnRound, { text }, { lane })).text).toHaveLength(text.length)
})

test('it has no more than the token of its attempt allows, though its executor shows the certificate of an administrator', async () => {
  // Shown by somebody else, it is one.
  const address = cluster.schedulers[0]?.address ?? ''
  const access = accessTo(address, '')
  const client = new JobServiceClient(address, access.credentials, access.options)
  const all = await new Promise((resolve, reject) =>
    client.listJobs(ListJobsRequest.fromPartial({}), new Metadata(), (error, answer) =>
      error === null ? resolve(answer.jobs) : reject(error),
    ),
  ).finally(() => client.close())
  expect(all).toEqual(expect.any(Array))
  const stolen = env.GUARDED_ADMIN_TOKEN ?? ''
  expect(stolen).not.toBe('')
  expect(await offstage.run(intrude, { stolen }, { lane })).toEqual({
    sockets: 1,
    environment: [],
    bare: 'UNAUTHENTICATED',
    stolen: 'UNAUTHENTICATED',
    attach: 'UNIMPLEMENTED',
    refusal: 'METHOD_UNKNOWN',
  })
})
