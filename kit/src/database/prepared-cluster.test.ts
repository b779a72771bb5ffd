import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { createTar } from 'nanotar'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPglite } from './pglite.ts'
import {
  prepareCluster,
  preparedClusterName,
  preparedClusterPath,
  unpackCluster,
} from './prepared-cluster.ts'

const script = (text: string) => ({ name: '', text })

let folder: string
let prepared: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offstage-prepared-'))
  // That of the package is made by the same, in seconds.
  prepared = preparedClusterPath()
  if (existsSync(prepared)) return
  prepared = join(folder, 'dist', 'cluster.tar.br')
  await prepareCluster(prepared)
})
afterAll(() => rm(folder, { recursive: true }))

/** A file that can be told from a cluster that initdb made, but is none. */
async function markedArchive(): Promise<string> {
  const path = join(folder, 'marked.tar.br')
  await writeFile(path, brotliCompressSync(createTar([{ name: 'PG_VERSION', data: 'marked' }])))
  return path
}

test('a new data directory begins as the prepared cluster, and keeps what is written', async () => {
  const dataDir = join(folder, 'data')
  {
    await using database = await openPglite({ dataDir, preparedCluster: prepared })
    await database.query(script('CREATE TABLE kept AS SELECT 7 AS n'))
  }
  await using database = await openPglite({ dataDir, preparedCluster: prepared })
  expect((await database.query(script('SELECT n FROM kept'))).rows).toEqual([{ n: 7 }])
})

test('one in memory begins as the prepared cluster too', async () => {
  await using database = await openPglite({ preparedCluster: prepared })
  expect((await database.query(script('SELECT 7 AS n'))).rows).toEqual([{ n: 7 }])
})

test('a prepared cluster that is no cluster is not hidden by making another', async () => {
  const preparedCluster = await markedArchive()
  await expect(openPglite({ preparedCluster })).rejects.toThrow()
  const dataDir = join(folder, 'marked')
  await expect(openPglite({ preparedCluster, dataDir })).rejects.toThrow('PGlite cannot start in')
})

test('without a prepared cluster a database makes its own', async () => {
  const dataDir = join(folder, 'own')
  await using database = await openPglite({ dataDir, preparedCluster: join(folder, 'missing') })
  expect((await database.query(script('SELECT 7 AS n'))).rows).toEqual([{ n: 7 }])
})

test('what a process left behind that ended while it unpacked is no cluster', async () => {
  const clusterPath = join(folder, 'pglite')
  await mkdir(join(`${clusterPath}.new`, 'base'), { recursive: true })
  await writeFile(join(`${clusterPath}.new`, 'base', 'half'), '')
  await unpackCluster(clusterPath, prepared)
  expect(existsSync(join(clusterPath, 'PG_VERSION'))).toBe(true)
  expect(existsSync(join(clusterPath, 'pg_notify'))).toBe(true)
  expect(existsSync(join(clusterPath, 'base', 'half'))).toBe(false)
  expect(existsSync(`${clusterPath}.new`)).toBe(false)
})

test('a cluster that is there is left alone', async () => {
  const clusterPath = join(folder, 'there')
  await mkdir(clusterPath)
  await unpackCluster(clusterPath, await markedArchive())
  expect(existsSync(join(clusterPath, 'PG_VERSION'))).toBe(false)
})

test('the file of this package is named after the installed PGlite', () => {
  expect(preparedClusterName()).toMatch(/^pglite-\d+\.\d+\.\d+\.tar\.br$/)
})
