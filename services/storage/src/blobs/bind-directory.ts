import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import type { BindOutcome, StoreIdentity } from '../ports/blobs.ts'
import { codeOf } from './disk-error.ts'

/**
 * Takes the directory of the file at `path` for a database: the file says whose blobs these are and which
 * of its folders this is, and is written once. It appears whole or not at all, so a full disk or a kill
 * leaves the directory nobody's. A database that has its folder already takes no other.
 */
export async function bindDirectory(path: string, identity: StoreIdentity): Promise<BindOutcome> {
  let text = await markOf(path)
  if (text === undefined || text === '') {
    if (identity.storeId !== undefined) return { kind: 'unbound' }
    await mark(path, `${identity.databaseId} ${randomUUID()}`, text === '')
    text = await markOf(path)
  }
  const [databaseId, storeId = ''] = (text ?? '').split(' ')
  if (databaseId !== identity.databaseId) return { kind: 'of-another' }
  return { kind: 'bound', storeId }
}

/** What the file says; undefined: there is none. */
export async function markOf(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function mark(path: string, text: string, replace: boolean): Promise<void> {
  const written = `${path}.${randomUUID()}`
  try {
    await write(written, text)
    // An empty file is what a process left that died between making and writing it.
    if (replace) await rename(written, path)
    else await link(written, path)
  } catch (error) {
    // Another process was first.
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(written, { force: true })
  }
}

async function write(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(`${text}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
}
