/** All that tests write to the temp folder goes to one of the run, and with it, also where a test failed or its process was killed. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const PREFIX = 'offstage-tests-'

/** Vitest calls it for each of its projects. */
export default function setup(): (() => void) | undefined {
  const outside = tmpdir()
  if (basename(outside).startsWith(PREFIX)) return undefined
  const folder = mkdtempSync(join(outside, PREFIX))
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
