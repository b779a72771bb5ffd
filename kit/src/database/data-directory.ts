/**
 * Holds a data directory for one process. PGlite does not lock, and two processes in one directory
 * destroy it.
 *
 * The lock is SQLite's exclusive lock on the file `lock`, held by the kernel on behalf of the
 * process: it ends with it, however it ends, so there are no stale locks to judge by process ids
 * (which mean nothing across containers). `lock.pid` beside it says who holds it, for the message.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder } from '../folders/mod.ts'

export interface DataDirectory extends Disposable {
  /** Where PGlite keeps its cluster. */
  readonly clusterPath: string
}

/** Creates the directory when it is missing. Throws, naming it, when it is in use or not writable. */
export function holdDataDirectory(dataDir: string): DataDirectory {
  const path = resolve(dataDir)
  const pidPath = join(path, 'lock.pid')
  let lock: DatabaseSync | undefined
  try {
    makeFolder(path)
    lock = new DatabaseSync(join(path, 'lock'))
    lock.exec('BEGIN EXCLUSIVE')
    writeFileSync(pidPath, `${process.pid}\n`)
  } catch (cause) {
    lock?.close()
    throw refusal(path, pidPath, cause)
  }
  const held = lock
  return {
    clusterPath: join(path, 'pglite'),
    [Symbol.dispose]() {
      rmSync(pidPath, { force: true })
      held.close()
    },
  }
}

function refusal(path: string, pidPath: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause)
  if (!/database is locked/.test(reason)) {
    return new Error(`the data directory ${path} cannot be written: ${reason}`, { cause })
  }
  return new Error(`the data directory ${path} is in use by ${holderOf(pidPath)}`, { cause })
}

function holderOf(pidPath: string): string {
  try {
    const pid = Number(readFileSync(pidPath, 'utf8'))
    return pid === process.pid ? 'this process' : `process ${pid}`
  } catch {
    return 'another process'
  }
}
