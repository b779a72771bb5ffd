import { isTlsFault } from '../tls/tls-fault.ts'

const connectionSqlStates = new Set([
  '25P03', // idle in transaction for too long: the server closed the connection
  '53300', // too many connections
  '57P01', // shutdown by the administrator
  '57P02', // a sibling server process crashed
  '57P03', // starting up or shutting down
  '57P05', // idle for too long: the server closed the connection
])

const connectionSystemCodes = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])

/** `pg` gives these errors no code; the texts are those of pg 8 and pg-pool 3. */
const connectionMessages = [
  /^Connection terminated/,
  /^Client has encountered a connection error/,
  /^Client was closed and is not queryable/,
  /^timeout exceeded when trying to connect/,
  /^timeout expired$/,
  /^Query read timeout$/,
]

/**
 * True when the server is gone, restarting or out of reach, or no connection came free in time: the
 * same call may succeed later. A statement that was under way may or may not have been applied.
 * Looks through `cause` and through the parts of an AggregateError.
 */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (isRefusedConnection(error)) return true
  const code = codeOf(error)
  if (code !== undefined) {
    if (connectionSqlStates.has(code) || connectionSystemCodes.has(code)) return true
    if (/^08...$/.test(code)) return true
    if (code === 'ENOENT' && 'syscall' in error && error.syscall === 'connect') return true
  } else if (connectionMessages.some((text) => text.test(error.message))) return true
  if (error instanceof AggregateError && error.errors.some(isConnectionError)) return true
  return error.cause !== undefined && isConnectionError(error.cause)
}

const tlsMessages = [
  /^The server does not support SSL connections/,
  /^There was an error establishing an SSL connection/,
]

/**
 * True when a server answers and no connection comes about: it refuses the login or our certificate, or is not the one it should
 * be. With what is configured now that stays so; a password or a certificate that is replaced may mend it.
 */
export function isRefusedConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = codeOf(error)
  if (isTlsFault(error) || (code !== undefined && /^28...$/.test(code))) return true
  if (code === undefined && tlsMessages.some((text) => text.test(error.message))) return true
  return error.cause !== undefined && isRefusedConnection(error.cause)
}

/** Taken back by the server for reasons of its own: nothing of the statement was applied. */
const transientSqlStates = [
  /^40/, // a deadlock, or a conflict with another transaction
  /^53/, // out of disk, memory or connections
  /^55P03$/, // a lock was not to be had in time
  /^57/, // cancelled, by a timeout or the administrator
  /^58/, // a fault of the system below
]

/**
 * True when the same statement may succeed later: isConnectionError, or the server has taken it back
 * for a reason that is not in it.
 */
export function isTransientError(error: unknown): boolean {
  if (isConnectionError(error)) return true
  const state = sqlStateOf(error)
  return state !== undefined && transientSqlStates.some((states) => states.test(state))
}

/** The five-character SQLSTATE of a refusal by the database, else undefined. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error)
  return code !== undefined && isFromServer(error) ? code : undefined
}

/** The name of the constraint a statement violated, else undefined. */
export function constraintOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('constraint' in error)) return undefined
  return typeof error.constraint === 'string' ? error.constraint : undefined
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** System error codes such as EPIPE have five letters as well, but only the server sends severity. */
function isFromServer(error: unknown): boolean {
  return error instanceof Error && 'severity' in error && error.severity !== undefined
}
