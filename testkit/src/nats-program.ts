import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execFileAsync = promisify(execFile)

export interface NatsProgram {
  readonly path: string
  /** Like `2.15.0`. */
  readonly version: string
}

/**
 * Looks for nats-server: OFFSTAGE_NATS_SERVER, PATH (and the sbin folders Debian puts it in),
 * `.offstage/bin` of the checkout, Go's bin folder. Rejects with what to install when there is none.
 */
export async function findNats(): Promise<NatsProgram> {
  const named = process.env.OFFSTAGE_NATS_SERVER
  for (const path of named ? [named] : await candidates()) {
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (executable) return { path, version: await versionOf(path) }
  }
  const where = named ? `OFFSTAGE_NATS_SERVER names ${named}, which cannot be run. ` : ''
  throw new Error(
    `${where}no nats-server found: run make servers, or install one (https://github.com/nats-io/nats-server/releases) and point OFFSTAGE_NATS_SERVER at it`,
  )
}

async function candidates(): Promise<string[]> {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''),
    '/usr/sbin',
    '/usr/local/sbin',
    fileURLToPath(new URL('../../.offstage/bin', import.meta.url)),
    process.env.GOBIN,
    join(process.env.GOPATH ?? join(homedir(), 'go'), 'bin'),
  ]
  return folders.filter((folder) => folder !== undefined).map((f) => join(f, 'nats-server'))
}

async function versionOf(path: string): Promise<string> {
  const { stdout } = await execFileAsync(path, ['--version'])
  const version = /v(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1]
  if (version === undefined) throw new Error(`${path}: unreadable version ${stdout.trim()}`)
  return version
}
