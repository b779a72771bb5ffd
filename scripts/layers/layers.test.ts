import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { violationsBelow } from './check.ts'
import { layersIn } from './table.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LAYERS = layersIn(await readFile(join(ROOT, 'ARCHITECTURE.md'), 'utf8'))

/** A folder with these files and no others. */
async function planted(files: Record<string, string>): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'offstage-layers-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), text)
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

async function violationsOf(file: string, text: string): Promise<string[]> {
  await using folder = await planted({ [file]: text })
  return violationsBelow(folder.path, LAYERS)
}

test('nothing in the repository imports what the tables of ARCHITECTURE.md do not allow', () => {
  expect(violationsBelow(ROOT, LAYERS)).toEqual([])
})

describe('an import across the layers is refused', () => {
  const refused: [what: string, file: string, text: string, fault: string][] = [
    [
      'a package that leans on one above it',
      'sdk/src/client/a.ts',
      "import { listen } from '@offstage/kit/grpc'",
      'sdk may not import kit',
    ],
    [
      'the contract that leans on anything',
      'proto/src/a.ts',
      "export * from '@offstage/sdk'",
      'proto may not import sdk',
    ],
    [
      'a service that imports another',
      'services/scheduler/src/scheduler.ts',
      "import { createStorage } from '@offstage/storage'",
      'services/scheduler may not import storage',
    ],
    [
      'a command that starts services itself',
      'cli/src/commands/a.ts',
      "import { createScheduler } from '@offstage/scheduler'",
      'cli may not import scheduler',
    ],
    [
      'a path into the files of another package',
      'services/storage/src/main.ts',
      "import { createLoop } from '../../../kit/src/lifecycle/loop.ts'",
      'a package is entered by its name, not by a path to its files',
    ],
    [
      'a package without a row',
      'console/src/a.ts',
      "import { Offstage } from '@offstage/sdk'",
      'console has no row in ARCHITECTURE.md',
    ],
    [
      'the test kit in what is installed',
      'services/executor/src/main.ts',
      "import { freePort } from '@offstage/testkit'",
      'only tests may import what is for tests',
    ],
    [
      'what is in testing/ outside of tests',
      'services/scheduler/src/jobs/a.ts',
      "import { setup } from '../testing/setup.ts'",
      'only tests may import what is for tests',
    ],
    [
      'a store that knows how it is called',
      'services/scheduler/src/store/a.ts',
      "import { jobTo } from '../grpc/job-mapping.ts'",
      'store may not import grpc',
    ],
    [
      'a use case that knows a message, if only its type',
      'services/scheduler/src/jobs/a.ts',
      "import type { Job } from '@offstage/proto/jobs'",
      'jobs may not import proto/jobs',
    ],
    [
      'a use case that opens a database',
      'services/storage/src/values/a.ts',
      "import {\n  type Database,\n  openPostgres,\n} from '@offstage/kit/database'",
      'values may not import kit/database',
    ],
    [
      'domain/ with I/O, however late',
      'services/storage/src/domain/a.ts',
      "const { readFile } = await import('node:fs/promises')",
      'domain may not import node:fs/promises',
    ],
    [
      'domain/ with a package',
      'services/storage/src/domain/a.ts',
      "import 'pg'",
      'domain may not import pg',
    ],
    [
      'interfaces with more than the domain in them',
      'services/scheduler/src/ports/a.ts',
      "import { createLoop } from '@offstage/kit/lifecycle'",
      'ports may not import kit/lifecycle',
    ],
    [
      'a room that stands in no table',
      'services/scheduler/src/lottery/a.ts',
      "import type { Job } from '../domain/job.ts'",
      'lottery has no row in ARCHITECTURE.md',
    ],
    [
      'values of the SDK that need a client',
      'sdk/src/values/a.ts',
      "export { Offstage } from '../client/offstage.ts'",
      'sdk/values may not import sdk/client',
    ],
  ]

  test.each(refused)('%s', async (_what, file, text, fault) => {
    expect(await violationsOf(file, text)).toEqual([expect.stringContaining(`: ${fault}`)])
  })

  test('while what the tables allow, and tests, pass', async () => {
    const allowed =
      "import { job } from '../domain/job.ts'\nimport type { StartStore } from '../ports/starts.ts'"
    expect(await violationsOf('services/scheduler/src/jobs/a.ts', allowed)).toEqual([])
    const test = "import { createStorage } from '@offstage/storage'"
    expect(await violationsOf('services/scheduler/src/a.test.ts', test)).toEqual([])
  })
})

describe('lint refuses', () => {
  const circle = {
    'kit/src/first.ts': "import { second } from './second.ts'\n\nexport const first = () => second",
    'kit/src/second.ts': "import { third } from './third.ts'\n\nexport const second = () => third",
    'kit/src/third.ts': "import { first } from './first.ts'\n\nexport const third = () => first",
  }

  test('modules that need themselves to run, but none that share types', async () => {
    expect(await lint(circle)).toContain('lint/suspicious/noImportCycles kit/src/third.ts')
    const third = "import type { first } from './first.ts'\n\nexport type Third = typeof first"
    expect(
      await lint({ ...circle, 'kit/src/third.ts': `${third}\nexport const third = 3` }),
    ).toEqual([])
  })

  test('a package that the manifest beside the code does not name, unless it is for a test', async () => {
    const files = {
      'kit/package.json':
        '{ "devDependencies": { "fast-check": "1" }, "dependencies": { "pg": "1" } }',
      'kit/src/a.ts': "import 'pg'\nimport 'fast-check'\n",
      'kit/src/b.ts': "import 'zod'\n",
      'kit/src/a.test.ts': "import 'zod'\n",
    }
    expect(await lint(files)).toEqual([
      'lint/correctness/noUndeclaredDependencies kit/src/a.ts',
      'lint/correctness/noUndeclaredDependencies kit/src/b.ts',
    ])
  })

  test.each(['Date.now()', 'new Date()', 'Math.random()', 'performance.now()', "fetch('/')"])(
    '%s in domain/, and nowhere else',
    async (code) => {
      const text = `export const asked = () => ${code}\n`
      const found = await lint({
        'services/storage/src/domain/a.ts': text,
        'services/storage/src/domain/a.test.ts': text,
        'services/storage/src/blobs/a.ts': text,
      })
      expect(found).toEqual([expect.stringMatching(/^(plugin|lint\S+) \S+\/domain\/a.ts$/)])
    },
  )
})

/** What Biome has to say of these files, as the repository sets it up. */
async function lint(files: Record<string, string>): Promise<string[]> {
  const config = await readFile(join(ROOT, 'biome.json'), 'utf8')
  await using folder = await planted({ ...files, 'biome.json': config })
  await symlink(join(ROOT, 'scripts'), join(folder.path, 'scripts'))
  const biome = join(ROOT, 'node_modules/.bin/biome')
  const folders = [...new Set(Object.keys(files).map((file) => file.split('/')[0] ?? ''))]
  const options = ['lint', '--vcs-enabled=false', '--reporter=json', ...folders]
  // It fails when it finds something, which is what is asked.
  const { stdout } = await promisify(execFile)(biome, options, { cwd: folder.path }).catch(
    (error) => error,
  )
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { category: string; location: { path: string } }[]
  }
  return diagnostics.map(({ category, location }) => `${category} ${location.path}`)
}
