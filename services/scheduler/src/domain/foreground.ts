/**
 * Jobs that run in the process of their caller (row L7). Such a caller is an executor session that serves one pool, its own: so its jobs
 * queue, are claimed, retried and lost as all others are, and nobody else is given them.
 */
import type { SessionId, SessionKey } from './ids.ts'

/** How strictly: `only` there, or there `first` and anywhere once the session has gone. The numbers are those of the contract. */
export const FOREGROUND = { only: 2, first: 3 } as const
export type Foreground = keyof typeof FOREGROUND

/** What a start asks for. */
export interface ForegroundStart {
  readonly sessionId: SessionId
  readonly sessionKey: SessionKey
  /** `auto`: `first`, where nobody else can run it. */
  readonly mode: Foreground | 'auto'
}

/** Of the names of pools these are nobody's to give. */
export const OWN_POOLS = 'offstage.'
const SESSION_POOLS = `${OWN_POOLS}session.`

/** Nobody else can name it: the key is made of who attached, too. */
export function poolOfSession(key: SessionKey): string {
  return SESSION_POOLS + key
}

/** SQL for whether a pool is that of a session. */
export const isSessionPoolInSql = (pool: string) =>
  `coalesce(starts_with(${pool}, '${SESSION_POOLS}'), false)`

/** SQL for whether an executor is one of these, by the pools it serves. */
export const isForegroundInSql = (pools: string) => isSessionPoolInSql(`${pools}[1]`)

/** SQL for the pool of a session. */
export const poolOfSessionInSql = (key: string) => `'${SESSION_POOLS}' || ${key}`
