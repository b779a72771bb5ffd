/** All that tests write to the temp folder goes to one of the run, and with it, also where a test failed or its process was killed. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { freemem, tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const PREFIX = 'offstage-tests-'
/** A file system in memory: tests make and remove so many files that a disk spends a tenth of a run on finding places for them. */
const IN_MEMORY = '/dev/shm'
const BYTES_MIN = 8 * 1024 ** 3

/** Vitest calls it for each of its projects. */
export default function setup(): (() => void) | undefined {
  const outside = tmpdir()
  if (basename(outside).startsWith(PREFIX)) return undefined
  const folder = folderInMemory() ?? mkdtempSync(join(outside, PREFIX))
  // PostgreSQL runs as somebody else when we are root.
  chmodSync(folder, 0o1777)
  // What a run makes for the next ones stays.
  process.env.OFFSTAGE_POSTGRES_TEMPLATES ??= outside
  process.env.TMPDIR = folder
  return () => {
    // Servers that a process has shared end after it, and remove what is theirs meanwhile.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

/** Where nobody has said which folder to use, and there is plenty of memory. */
function folderInMemory(): string | undefined {
  if (process.env.TMPDIR !== undefined || freemem() < 2 * BYTES_MIN) return undefined
  let folder: string | undefined
  try {
    const { bavail, bsize } = statfsSync(IN_MEMORY)
    if (bavail * bsize < BYTES_MIN) return undefined
    removeLeftBehind()
    folder = mkdtempSync(join(IN_MEMORY, `${PREFIX}${process.pid}-`))
    // Some let nothing be run from there.
    const program = join(folder, 'true')
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 })
    execFileSync(program)
    return folder
  } catch {
    if (folder !== undefined) rmSync(folder, { recursive: true })
    return undefined
  }
}

/** By runs that were killed: memory is not to be kept by them. */
function removeLeftBehind(): void {
  for (const name of readdirSync(IN_MEMORY)) {
    const pid = Number(name.match(/^offstage-tests-(\d+)-/)?.[1])
    if (pid > 0 && !isAlive(pid)) {
      rmSync(join(IN_MEMORY, name), { recursive: true, force: true })
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It is somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
