/**
 * Who calls, as an identity file says. The file is read again while the service runs: what it says then holds for the next call,
 * and where it cannot be used what was read before goes on.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Logger } from '../../telemetry/mod.ts'
import type { Authenticate } from '../authenticate.ts'
import type { VerifyToken } from './issuer.ts'
import { readIdentity } from './read-identity.ts'
import { type IdentitySetting, identityFileOf, readIdentityAtStart } from './settings.ts'
import { createTokenAuthenticate } from './token-authenticate.ts'

export interface IdentityOptions {
  readonly log: Logger
  /** Verifies the tokens of attempts; see `createTokenAuthenticate`. */
  readonly attempts?: VerifyToken
  /** How often the file is read again. Default 5 s. */
  readonly everyMs?: number
}

export interface Identity extends Disposable {
  /** Undefined in development mode. */
  readonly authenticate: Authenticate | undefined
}

/** Throws a ConfigError where the file cannot be used. */
export function openIdentity(setting: IdentitySetting, options: IdentityOptions): Identity {
  const path = identityFileOf(setting)
  if (path === undefined) return { authenticate: undefined, [Symbol.dispose]: () => {} }
  const { log, attempts, everyMs = 5_000 } = options
  const create = () => createTokenAuthenticate({ ...config, attempts, log })
  let config = readIdentityAtStart(path)
  let current = create()
  let told = ''
  const readAgain = () => {
    try {
      const next = readIdentity(path)
      if (!isDeepStrictEqual(next, config)) {
        config = next
        current = create()
        log.info({ path }, 'the identity file has changed and is in use')
      }
      told = ''
    } catch (error) {
      const problem = (error as Error).message
      // Read again every few seconds: what stays wrong is told once.
      if (problem !== told) {
        log.warn({ problem }, 'the identity file cannot be used; what it said before goes on')
      }
      told = problem
    }
  }
  const timer = setInterval(readAgain, everyMs).unref()
  return {
    authenticate: (metadata, peer, shown) => current(metadata, peer, shown),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
