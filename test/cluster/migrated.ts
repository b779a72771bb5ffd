import { spawnProcess } from '@offstage/testkit'

/** Brings an empty database to what services of this checkout work with, so that it can be copied. */
export async function migrated(url: string): Promise<void> {
  for (const service of ['scheduler', 'storage']) {
    const main = new URL(`../../services/${service}/src/migrate.ts`, import.meta.url)
    const env = { [`OFFSTAGE_${service.toUpperCase()}_DATABASE_URL`]: url }
    const program = await spawnProcess({ main, env, ready: /at the version of this release/ })
    await program.exited
  }
}
