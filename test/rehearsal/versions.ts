/** Other versions of the services to rehearse with: the next one, and the one that was released last. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
/** Within the checkout, so that packages are found as they are here. */
const place = join(root, '.offstage')

/** Until there is a release, what stands for the one before. */
const BEFORE_RELEASES = 'd8ee4ec'

/** The workspace packages, by the folders they are in. */
const PACKAGES = {
  proto: 'proto',
  kit: 'kit',
  testkit: 'testkit',
  sdk: 'sdk',
  scheduler: 'services/scheduler',
  executor: 'services/executor',
  storage: 'services/storage',
}

export interface Version extends AsyncDisposable {
  readonly name: string
  /** The file of its tree. */
  file(path: string): URL
}

/** Schedulers and storages of this checkout with one migration more. */
export async function nextVersion(): Promise<Version> {
  const folder = await newFolder('next-')
  for (const service of ['scheduler', 'storage']) {
    const copy = join(folder, 'services', service)
    await cp(join(root, 'services', service), copy, { recursive: true })
    const migrations = join(copy, 'src/store/migrations')
    const number = String((await readdir(migrations)).length + 1).padStart(4, '0')
    const table = service === 'scheduler' ? 'offstage.jobs' : 'offstage_storage.temp_values'
    const text = `ALTER TABLE ${table} ADD COLUMN rehearsed integer NOT NULL DEFAULT 0;\n`
    await writeFile(join(migrations, `${number}-rehearsal.sql`), text)
  }
  return versionIn(folder, 'the next version')
}

/** The tree of the newest release, or of the commit that stands for it, with packages of its own. */
export async function lastRelease(): Promise<Version> {
  const git = async (...args: string[]) => (await run('git', args, { cwd: root })).stdout.trim()
  const described = git('describe', '--tags', '--abbrev=0', '--match', 'v*')
  const name = await described.catch(() => BEFORE_RELEASES)
  const folder = await newFolder('old-')
  const archive = join(folder, 'tree.tar')
  await git('archive', '--output', archive, name, ...Object.values(PACKAGES), 'test')
  await run('tar', ['-xf', archive, '-C', folder])
  const scope = join(folder, 'node_modules/@offstage')
  await mkdir(scope, { recursive: true })
  for (const [short, path] of Object.entries(PACKAGES))
    await symlink(join(folder, path), join(scope, short))
  return versionIn(folder, name)
}

async function newFolder(prefix: string): Promise<string> {
  await mkdir(place, { recursive: true })
  return mkdtemp(join(place, prefix))
}

function versionIn(folder: string, name: string): Version {
  return {
    name,
    file: (path) => new URL(path, `${pathToFileURL(folder)}/`),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}
