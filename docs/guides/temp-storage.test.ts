/** Runs the snippets of the guide, each in a process of its own, against a storage service of its own. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createInProcessBus } from '@offstage/kit/bus'
import { openPglite } from '@offstage/kit/database'
import { createGrpcServer } from '@offstage/kit/grpc'
import { createLogger } from '@offstage/kit/telemetry'
import { expect, test } from 'vitest'
import { createStorage, readEmbeddedStorageConfig } from '../../services/storage/src/mod.ts'

const page = await readFile(new URL('temp-storage.md', import.meta.url), 'utf8')
const snippets = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = fileURLToPath(new URL('../../.offstage/', import.meta.url))

test('the guide has snippets, each with an assertion', () => {
  expect(snippets.length).toBeGreaterThan(0)
  for (const code of snippets) expect(code).toMatch(/\bassert\b.*\(/)
})

test.each(snippets.map((code, index) => [index + 1, code] as const))(
  'snippet %d does what it says',
  async (_number, code) => {
    await mkdir(SCRATCH, { recursive: true })
    const folder = await mkdtemp(`${SCRATCH}guide-`)
    await using _removed = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
    await using database = await openPglite()
    await using bus = createInProcessBus()
    const env = { OFFSTAGE_STORAGE_DATA_DIR: join(folder, 'data'), OFFSTAGE_STORAGE_PORT: '0' }
    const log = createLogger({ name: 'storage', level: 'silent' })
    const config = readEmbeddedStorageConfig(env)
    await using storage = createStorage({ config, database, bus, log })
    // The client looks whether its scheduler is there; the guide starts no job.
    await using scheduler = createGrpcServer({
      name: 'none',
      host: '127.0.0.1',
      port: 0,
      services: [],
      log,
    })
    await storage.start()
    await scheduler.start()
    const file = join(folder, 'snippet.ts')
    await writeFile(file, code)
    await promisify(execFile)(process.execPath, [file], {
      env: {
        ...process.env,
        OFFSTAGE_STORAGE: storage.address,
        OFFSTAGE_SCHEDULER: scheduler.address,
      },
      timeout: 20_000,
    })
  },
)
