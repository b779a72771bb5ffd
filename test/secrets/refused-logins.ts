/** Schedulers that are not let in where they log in, or whose files for it were mixed up. */
import { spawnProcess } from '@offstage/testkit'
import { asUser, type Planted } from './place.ts'
import type { Said } from './planted.ts'

const main = new URL('../../services/scheduler/src/main.ts', import.meta.url)

/** What each says until it ends, or serves without NATS. */
export function refusedLogins({ cluster, secrets, files, envOf }: Planted): Promise<Said[]> {
  const { databaseUrl, nats } = cluster
  const byCreds = (path: string) => ({
    OFFSTAGE_NATS_NKEY_FILE: '',
    OFFSTAGE_NATS_CREDS_FILE: path,
  })
  const byUrl = asUser(`offstage:${secrets.wrongNatsPassword}`, nats.url)
  const byDatabaseUrl = asUser(`offstage:${secrets.wrongDatabasePassword}`, databaseUrl)
  const ways: readonly (readonly [has: RegExp, env: NodeJS.ProcessEnv])[] = [
    [/cannot use NATS: .*authorization/i, byCreds(files.creds)],
    [
      /cannot use NATS: .*authorization/i,
      { OFFSTAGE_NATS_NKEY_FILE: '', OFFSTAGE_NATS_URL: byUrl },
    ],
    [/a connection failed/, byCreds(files.natsSeed)],
    [/a connection failed/, { OFFSTAGE_NATS_NKEY_FILE: files.natsPassword }],
    [
      /_DATABASE_URL: .*password authentication failed/,
      {
        OFFSTAGE_SCHEDULER_DATABASE_PASSWORD_FILE: '',
        OFFSTAGE_SCHEDULER_DATABASE_URL: byDatabaseUrl,
      },
    ],
  ]
  return Promise.all(
    ways.map(async ([has, way]) => {
      const env = { ...envOf('scheduler'), OFFSTAGE_SCHEDULER_PORT: '0', ...way }
      const started = spawnProcess({ main, env, ready: /serving gRPC/ })
      const child = await started.catch((error: Error) => error)
      if (child instanceof Error) return { has, text: child.message }
      await child.kill('SIGTERM')
      return { has, text: child.stdout + child.stderr }
    }),
  )
}
