import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { codeOf } from './disk-error.ts'

/**
 * Takes the directory of the file at `path` for a database: the file says whose blobs these are, and is
 * written once. It appears whole or not at all, so a full disk or a kill leaves the directory nobody's.
 * False when it is another's.
 */
export async function bindDirectory(path: string, databaseId: string): Promise<boolean> {
  const bound = await boundTo(path)
  if (bound !== undefined && bound !== '') return bound === databaseId
  const written = `${path}.${randomBytes(8).toString('hex')}`
  try {
    await write(written, databaseId)
    // An empty file is what a process left that died between making and writing it.
    if (bound === '') await rename(written, path)
    else await link(written, path)
  } catch (error) {
    // Another process was first.
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(written, { force: true })
  }
  return (await boundTo(path)) === databaseId
}

async function boundTo(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function write(path: string, databaseId: string): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(`${databaseId}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
}
