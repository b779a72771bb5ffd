/**
 * An empty PGlite cluster that was made beforehand, so that a new database need not begin with initdb, which takes
 * seconds and a gigabyte of memory. It is a file of this package, built by `make setup` and before publishing, never
 * committed. It is bound to nothing but PGlite's version, which its name carries: migrations come later, as ever.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, brotliDecompress, constants } from 'node:zlib'
import { parseTar } from 'nanotar'
import { makeFolder } from '../folders/mod.ts'

/** Where the cluster of the installed PGlite is in this package, or would be. */
export function preparedClusterPath(): string {
  const file = preparedClusterName()
  return fileURLToPath(new URL(`../../dist/${file}`, import.meta.url))
}

/** What the file of the installed PGlite is called. */
export function preparedClusterName(): string {
  const manifest = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'))
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'))
  return `pglite-${version}.tar.br`
}

/** The databases of a cluster are much alike and 7 MiB apart: the window must span two. */
const COMPRESSION = {
  [constants.BROTLI_PARAM_QUALITY]: 7,
  [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
}

/** Makes the cluster with initdb and writes it to `path`, which is there whole or not at all. */
export async function prepareCluster(path: string = preparedClusterPath()): Promise<void> {
  const { PGlite } = await import('@electric-sql/pglite')
  const folder = await mkdtemp(join(tmpdir(), 'offstage-cluster-'))
  try {
    const made = await PGlite.create(folder)
    await made.close()
    // Not started: what goes into the archive is a cluster that was shut down.
    const closed = await PGlite.create({ dataDir: folder, noInitDb: true })
    const tar = await closed.dumpDataDir('none')
    const bytes = await promisify(brotliCompress)(await tar.bytes(), { params: COMPRESSION })
    await mkdir(dirname(path), { recursive: true })
    const fresh = `${path}.${randomUUID()}`
    await writeFile(fresh, bytes)
    await rename(fresh, path)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The prepared cluster as an uncompressed tar; undefined where none was made. */
export async function readPreparedCluster(
  path: string = preparedClusterPath(),
): Promise<Buffer<ArrayBuffer> | undefined> {
  if (!existsSync(path)) return undefined
  return Buffer.from(await promisify(brotliDecompress)(await readFile(path)))
}

/**
 * Puts the prepared cluster where there is none yet. It appears at `clusterPath` by one rename, so a process that ends
 * in between leaves no half of one; without a prepared one nothing is done.
 */
export async function unpackCluster(clusterPath: string, prepared?: string): Promise<void> {
  if (existsSync(clusterPath)) return
  const tar = await readPreparedCluster(prepared)
  if (tar === undefined) return
  const fresh = `${clusterPath}.new`
  await rm(fresh, { recursive: true, force: true })
  for (const { name, type, data } of parseTar(tar)) {
    const path = join(fresh, name)
    if (type === 'directory') makeFolder(path)
    else {
      makeFolder(dirname(path))
      // A thousand small files: without a thread's turn for each.
      writeFileSync(path, data ?? new Uint8Array(), { mode: 0o600 })
    }
  }
  await rename(fresh, clusterPath)
}
