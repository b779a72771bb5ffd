import { setTimeout as pause } from 'node:timers/promises'
import { ConfigError, faultText, UnavailableError } from '../config/mod.ts'
import type { Logger } from '../telemetry/mod.ts'
import type { Database } from './database.ts'
import { isConnectionError, isRefusedConnection } from './errors.ts'
import { MigrationError } from './migrations.ts'
import { openPostgres, type PostgresOptions } from './postgres.ts'

/** For the start of a service whose database is in a variable: throws a MigrationError as a fault of that variable. */
export function namingDatabase(variable: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof MigrationError)) throw error
    throw new ConfigError([{ variable, problem: error.message }])
  }
}

export interface Patience {
  /** How long a server that is away is waited for. Default: not at all. */
  readonly waitMs?: number
  /** Ends the wait. */
  readonly signal?: AbortSignal
  /** Told once, when it begins. */
  onWait?(error: UnavailableError): void
}

/** The wait of a process, which says in its log what for. */
export function waitingFor(waitMs: number, log: Logger, signal?: AbortSignal): Patience {
  return {
    ...{ waitMs, signal },
    onWait: ({ message }) => log.warn({ waitMs }, `${message}: waiting for it`),
  }
}

const AGAIN_AFTER_MS = 500

/**
 * As openPostgres, for a url from the environment: rejects with a fault that names its variable. It is an
 * UnavailableError where the server may be back later and was not within the wait, else a ConfigError (a login refused, a
 * certificate that is not that of the server's authority or host, a server too old).
 */
export async function openConfiguredPostgres(
  variable: string,
  options: PostgresOptions,
  { waitMs = 0, signal, onWait }: Patience = {},
): Promise<Database> {
  const endMs = performance.now() + waitMs
  for (let hasTold = false; ; hasTold = true) {
    try {
      return await openUntil(signal, () => open(variable, options))
    } catch (error) {
      const isOver = performance.now() + AGAIN_AFTER_MS > endMs
      if (!(error instanceof UnavailableError) || isOver) throw error
      if (!hasTold) onWait?.(error)
    }
    await pause(AGAIN_AFTER_MS, undefined, { signal })
  }
}

/** A server that takes connections and says nothing holds up no stop; one that is opened too late is closed again. */
async function openUntil(
  signal: AbortSignal | undefined,
  open: () => Promise<Database>,
): Promise<Database> {
  signal?.throwIfAborted()
  const opening = open()
  if (signal === undefined) return opening
  const aborted = Promise.withResolvers<never>()
  const abort = () => {
    aborted.reject(signal.reason)
    opening.then((late) => late[Symbol.asyncDispose]()).catch(() => {})
  }
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([opening, aborted.promise]).finally(() =>
    signal.removeEventListener('abort', abort),
  )
}

async function open(variable: string, options: PostgresOptions): Promise<Database> {
  try {
    return await openPostgres(options)
  } catch (cause) {
    const problem = faultText(cause)
    const away = isConnectionError(cause) && !isRefusedConnection(cause)
    if (away) throw new UnavailableError(variable, problem, { cause })
    throw new ConfigError([{ variable, problem }])
  }
}
