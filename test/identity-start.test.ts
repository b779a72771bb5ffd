/** Each service as a process of its own, on an address others can reach. */
import { fileURLToPath } from 'node:url'
import { spawnProcess } from '@offstage/testkit'
import { expect, test } from 'vitest'

const mainOf = (service: string) =>
  fileURLToPath(new URL(`../services/${service}/src/main.ts`, import.meta.url))
const jobs = fileURLToPath(new URL('./cluster/jobs.ts', import.meta.url))

const ENOUGH = {
  OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1:1/none',
  OFFSTAGE_STORAGE_DATABASE_URL: 'postgres://127.0.0.1:1/none',
  OFFSTAGE_STORAGE_DATA_DIR: '/nowhere',
  OFFSTAGE_JOBS: jobs,
}

test.each(['scheduler', 'storage', 'executor'])(
  'the %s does not start where others reach it without identity, and says what to set',
  async (service) => {
    const host = `OFFSTAGE_${service.toUpperCase()}_HOST`
    const env = { ...ENOUGH, [host]: '0.0.0.0', OFFSTAGE_TLS: 'off' }
    const started = spawnProcess({ main: mainOf(service), env, ready: /serving gRPC/ })
    await expect(started).rejects.toThrow(/exit code 78/)
    await expect(started).rejects.toThrow(
      `OFFSTAGE_IDENTITY: must be set, since ${host} is 0.0.0.0`,
    )
  },
)

test('an identity file that cannot be used ends the start, with its variable', async () => {
  const env = { ...ENOUGH, OFFSTAGE_IDENTITY: '/nowhere/identity.json' }
  const started = spawnProcess({ main: mainOf('scheduler'), env, ready: /serving gRPC/ })
  await expect(started).rejects.toThrow(/exit code 78/)
  await expect(started).rejects.toThrow(
    'OFFSTAGE_IDENTITY: the file /nowhere/identity.json does not exist',
  )
})
