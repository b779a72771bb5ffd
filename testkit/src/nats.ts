import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, type Exit, startChild, stopChild } from './child.ts'
import { freePort } from './free-port.ts'
import { findNats } from './nats-program.ts'

export interface TestNatsOptions {
  /** Default: a free one. */
  readonly port?: number
  /** Switches JetStream on, with a store of its own that is removed at the end. Default off. */
  readonly jetstream?: boolean
  /** A JetStream store that outlives the server; implies `jetstream`. */
  readonly storeDir?: string
  /** What clients must present. Default: nothing. */
  readonly user?: string
  readonly password?: string
  /** More lines of its configuration, such as `tls {…}` and `authorization {…}`. */
  readonly config?: string
  /** JetStream's `sync_interval`, such as `always`; nats-server 2.10+. Default: its own (two minutes). */
  readonly syncInterval?: string
}

export interface TestNats extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Like `2.15.0`. */
  readonly version: string
  /** Everything the server logged since its last start. */
  readonly log: string
  /** Resolves when the server of the last start has ended, for whatever reason. */
  readonly exited: Promise<Exit>
  /** Ends the server; streams stay on disk. SIGKILL acts as a crash. Default SIGTERM. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Starts a stopped server on the same port and store. */
  start(): Promise<void>
}

const STOP_TIMEOUT_MS = 15_000

/** Starts a nats-server of its own on 127.0.0.1. Rejects with what to install when there is none. */
export async function startNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const { path, version } = await findNats()
  const folder = await mkdtemp(join(tmpdir(), 'offstage-nats-'))
  const config = join(folder, 'nats.conf')
  await writeFile(config, configText(options, folder))
  let port = options.port ?? (await freePort())
  const run = () =>
    startChild({
      name: 'nats-server',
      command: path,
      args: ['--config', config, '--addr', '127.0.0.1', '--port', String(port)],
      cwd: '/',
      ready: /Server is ready/,
      orphanFolder: folder,
    })
  let server: Child
  try {
    server = await run().catch(async (error) => {
      if (options.port !== undefined || !/address already in use/.test(String(error))) throw error
      port = await freePort()
      return run()
    })
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }

  const stop = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => {
    await stopChild(server, 'nats-server', signal, STOP_TIMEOUT_MS)
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    version,
    get log() {
      return server.stderr
    },
    get exited() {
      return server.exited
    },
    stop,
    start: async () => {
      if (!server.running) server = await run()
    },
    [Symbol.asyncDispose]: async () => {
      try {
        await stop()
      } finally {
        await rm(folder, { recursive: true, force: true, maxRetries: 5 })
      }
    },
  }
}

function configText(options: TestNatsOptions, folder: string): string {
  const { jetstream = false, storeDir, syncInterval, user, password } = options
  const lines: string[] = []
  if (user !== undefined) {
    lines.push(`authorization { user: ${quote(user)}, password: ${quote(password ?? '')} }`)
  }
  if (jetstream || storeDir !== undefined) {
    const sync = syncInterval === undefined ? '' : `, sync_interval: ${syncInterval}`
    lines.push(`jetstream { store_dir: ${quote(storeDir ?? join(folder, 'jetstream'))}${sync} }`)
  }
  if (options.config !== undefined) lines.push(options.config)
  return lines.join('\n')
}

const quote = (text: string) => JSON.stringify(text)
