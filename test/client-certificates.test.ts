/** Callers that cannot send tokens, as KEDA, are known by the certificates they show. */
import { readFile, writeFile } from 'node:fs/promises'
import { credentials, Metadata } from '@grpc/grpc-js'
import { openIdentity } from '@offstage/kit/auth/tokens'
import { createInProcessBus } from '@offstage/kit/bus'
import { openPostgres } from '@offstage/kit/database'
import { createLogger } from '@offstage/kit/telemetry'
import { JobServiceClient, ListJobsRequest } from '@offstage/proto/jobs'
import { ExternalScalerClient, type IsActiveResponse } from '@offstage/proto/scaling'
import { createScheduler, readSchedulerConfig } from '@offstage/scheduler'
import {
  type Authority,
  createAuthority,
  createSharedDatabase,
  startTestIssuer,
} from '@offstage/testkit'
import { expect, test } from 'vitest'
import { migrated } from './cluster/migrated.ts'

/** After so long the callers of streams are asked about again. */
const LOOK_AGAIN_MS = 5_000

const ref = { name: 'x', namespace: 'y', scalerMetadata: { target: '1' } }

/** A scheduler that asks for certificates, and takes the one named keda for a scaler of the namespace default. */
async function startScheduler(authority: Authority) {
  const it = new AsyncDisposableStack()
  const issuer = it.use(await startTestIssuer())
  const path = await issuer.identityFile()
  const grant = { subject: 'keda', roles: ['scaler'], namespaces: ['default'] }
  const identity = { ...JSON.parse(await readFile(path, 'utf8')), certificates: [grant] }
  await writeFile(path, JSON.stringify(identity))
  const log = createLogger({ name: 'test', level: 'silent' })
  const { authenticate } = it.use(openIdentity({ identity: path }, { log }))
  const { cert, key } = await authority.issue()
  const env = { OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1/unused' }
  const { url } = it.use(await createSharedDatabase(migrated))
  const scheduler = it.use(
    createScheduler({
      config: { ...readSchedulerConfig(env), port: 0 },
      database: it.use(await openPostgres({ url, poolSize: 4 })),
      bus: it.use(createInProcessBus()),
      log,
      authenticate,
      tls: {
        read: () => ({
          ca: Buffer.from(authority.cert),
          cert: Buffer.from(cert),
          key: Buffer.from(key),
        }),
        clientCertificates: true,
      },
    }),
  )
  await scheduler.start()
  return { issuer, address: scheduler.address, [Symbol.asyncDispose]: () => it.disposeAsync() }
}

test('a client without a token has the rights of its certificate, and no others', async () => {
  const authority = await createAuthority()
  await using it = await startScheduler(authority)
  const showing = async (name: string, signer = authority) => {
    const { cert, key } = await signer.issue({ name })
    const [ca, keyPem, certPem] = [authority.cert, key, cert].map((pem) => Buffer.from(pem))
    return credentials.createSsl(ca, keyPem, certPem)
  }
  const isActive = async (
    name: string,
    { token = '', scalerMetadata = {}, signer = authority } = {},
  ) => {
    const client = new ExternalScalerClient(it.address, await showing(name, signer))
    const metadata = new Metadata()
    if (token !== '') metadata.set('authorization', `Bearer ${token}`)
    const request = { ...ref, scalerMetadata: { ...ref.scalerMetadata, ...scalerMetadata } }
    return new Promise<IsActiveResponse>((resolve, reject) =>
      client.isActive(request, metadata, { deadline: Date.now() + 5_000 }, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      ),
    ).finally(() => client.close())
  }
  expect(await isActive('keda')).toEqual({ result: false })
  await expect(isActive('executor')).rejects.toThrow('the call brings no token')
  const elsewhere = { scalerMetadata: { namespace: 'elsewhere' } }
  await expect(isActive('keda', elsewhere)).rejects.toThrow('there is no namespace elsewhere')
  // Of another authority it is nobody's.
  await expect(isActive('keda', { signer: await createAuthority() })).rejects.toThrow(
    /UNAVAILABLE|DEADLINE/,
  )
  // A token is what counts where there is one.
  const token = await it.issuer.sign({ user: 'ann', roles: ['user'] })
  await expect(isActive('keda', { token })).rejects.toThrow('needs one of the roles admin')

  // Its streams are looked at again while they last, and go on.
  const client = new ExternalScalerClient(it.address, await showing('keda'))
  const stream = client.streamIsActive(ref)
  const ends: unknown[] = []
  stream
    .on('data', () => {})
    .on('error', (error) => ends.push(error))
    .on('end', () => ends.push('end'))
  await new Promise((resolve) => setTimeout(resolve, 2 * LOOK_AGAIN_MS))
  expect(ends).toEqual([])
  stream.cancel()
  client.close()

  const jobs = new JobServiceClient(it.address, await showing('keda'))
  const listing = new Promise((resolve, reject) =>
    jobs.listJobs(ListJobsRequest.fromPartial({}), (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    ),
  )
  await expect(listing).rejects.toThrow('needs one of the roles admin')
  jobs.close()
})
