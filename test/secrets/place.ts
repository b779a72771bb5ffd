/** A cluster with a secret in every setting that can hold one, which says as much as it can. */
import { Offstage } from '@offstage/sdk'
import { createAuthority, createPemFolder, startTestIssuer } from '@offstage/testkit'
import { Client } from 'pg'
import { createClusterCertificates } from '../cluster/certificates.ts'
import { type Service, startCluster } from '../cluster/cluster.ts'
import { startCollector } from '../cluster/collector.ts'
import { plant } from './plant.ts'

const jobs = new URL('../cluster/telling-jobs.ts', import.meta.url)

export const asUser = (login: string, url: string) => url.replace(/\/\/(?:[^@/]*@)?/, `//${login}@`)

type Place = Awaited<ReturnType<typeof startPlanted>>
export type Planted = Omit<Place, typeof Symbol.asyncDispose>

export async function startPlanted() {
  const it = new AsyncDisposableStack()
  const issuer = it.use(await startTestIssuer())
  const stranger = it.use(await startTestIssuer({ issuer: 'https://stranger.test' }))
  const authority = await createAuthority()
  const certificates = it.use(await createClusterCertificates(authority))
  const { OFFSTAGE_TLS_SERVER_KEY: tlsKeyFile = '' } = certificates.env
  const collector = it.use(await startCollector())
  const folder = it.use(await createPemFolder())
  const { secrets, contents, nkey, logins } = await plant({ issuer, stranger }, tlsKeyFile)
  const files = await folder.write(contents)
  const env = {
    ...certificates.env,
    OFFSTAGE_TLS_CLIENT_CA: '',
    OFFSTAGE_IDENTITY: await issuer.identityFile(),
    OFFSTAGE_LOG_LEVEL: 'trace',
    OFFSTAGE_OTLP_ENDPOINT: asUser(`spans:${secrets.collectorPassword}`, collector.endpoint),
  }
  const envOf = settingsFor(files, secrets)
  const users = `[{ nkey: ${nkey} }, { user: offstage, password: "${secrets.natsPassword}" }]`
  const cluster = it.use(
    await startCluster({
      ...{ jobs, env, envOf, schedulers: 1, executors: 1, storage: true },
      postgres: { hba: 'host all offstage all scram-sha-256\nhost all all all trust' },
      prepareDatabase: (url) => createRole(url, secrets.databasePassword),
      nats: { config: `authorization { users: ${users} }` },
    }),
  )
  const places = { scheduler: cluster.target(), storage: cluster.storage }
  const tls = { ca: certificates.tls.ca }
  const offstage = it.use(await Offstage.connect({ ...places, token: secrets.userToken, tls }))
  return {
    ...{ secrets, files, cluster, offstage, collector, tlsKeyFile, jobs },
    ca: authority.cert,
    /** What a service of the cluster has in its environment. */
    envOf: (service: Service) => ({
      ...env,
      OFFSTAGE_NATS_URL: cluster.nats.url,
      ...envOf(service, cluster),
    }),
    /** What the files of the running services have from now on. */
    logInWith: async (which: keyof typeof logins) => void (await folder.write(logins[which])),
    [Symbol.asyncDispose]: () => it.disposeAsync(),
  }
}

type Plant = Awaited<ReturnType<typeof plant>>
type Files = Readonly<Record<keyof Plant['contents'], string>>

/** Each kind of login in one service, by file where there is a choice. */
function settingsFor(files: Files, secrets: Plant['secrets']) {
  type Servers = { readonly databaseUrl: string; readonly nats: { readonly url: string } }
  return (service: Service, { databaseUrl, nats }: Servers): Record<string, string> => {
    const settings = {
      scheduler: {
        OFFSTAGE_SCHEDULER_DATABASE_URL: asUser('offstage', databaseUrl),
        OFFSTAGE_SCHEDULER_DATABASE_PASSWORD_FILE: files.databasePassword,
        OFFSTAGE_NATS_NKEY_FILE: files.natsSeed,
        OFFSTAGE_SCHEDULER_SIGNING_KEY_FILE: files.signingKey,
      },
      storage: {
        OFFSTAGE_STORAGE_DATABASE_URL: asUser(`offstage:${secrets.databasePassword}`, databaseUrl),
        OFFSTAGE_NATS_URL: asUser('offstage', nats.url),
        OFFSTAGE_NATS_PASSWORD_FILE: files.natsPassword,
        OFFSTAGE_TOKEN: secrets.serviceToken,
      },
      executor: { OFFSTAGE_TOKEN_FILE: files.executorToken },
    }
    return settings[service]
  }
}

async function createRole(url: string, password: string): Promise<void> {
  const database = new Client({ connectionString: url })
  await database.connect()
  await database.query(`CREATE ROLE offstage LOGIN SUPERUSER PASSWORD '${password}'`)
  await database.end()
}
