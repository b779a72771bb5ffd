/** Who calls, by the identity file, and the tokens of attempts that go with it. */
import type { Authenticate } from '@offstage/kit/auth'
import { openIdentity } from '@offstage/kit/auth/tokens'
import { createTroubleLog, type Logger } from '@offstage/kit/telemetry'
import { type AttemptTokens, createAttemptTokens } from './attempts/attempt-tokens.ts'
import { keyFileReader } from './attempts/key-file.ts'
import { KeyRing } from './attempts/key-ring.ts'
import { readStoredKeys } from './attempts/stored-keys.ts'
import { ATTEMPT_TOKEN_MS_MAX, type SchedulerConfig } from './config.ts'
import type { SchedulerDatabases } from './store/databases.ts'
import { createStores } from './store/stores.ts'

export interface SchedulerIdentity extends Disposable {
  /** Both undefined in development mode. */
  readonly authenticate: Authenticate | undefined
  readonly attempts: AttemptTokens | undefined
}

/** Clocks that differ, and replicas that have not read the newest key yet. */
const KEY_KEPT_LONGER_MS = 60_000

export function openSchedulerIdentity(
  config: SchedulerConfig,
  database: SchedulerDatabases,
  log: Logger,
): SchedulerIdentity {
  const { heldAttempts: store, signingKeys } = createStores(database)
  const { signingKeyFile: file, signingKeyAgeMs: olderThanMs, attemptTokenMs: tokenMs } = config
  const terms = { olderThanMs, keepMs: ATTEMPT_TOKEN_MS_MAX + KEY_KEPT_LONGER_MS }
  const onBadFile = (problem: string) =>
    log.warn({ problem }, 'the signing keys cannot be read again; those from before stay in use')
  const keys = new KeyRing({
    load:
      file === undefined
        ? () => readStoredKeys(signingKeys, terms)
        : keyFileReader(file, onBadFile),
    onTrouble: createTroubleLog(log, 'signing keys cannot be read; those from before still verify'),
  })
  const attempts = createAttemptTokens({ keys, store, tokenMs })
  const identity = openIdentity(config, { log, attempts: attempts.verify })
  const { authenticate } = identity
  return {
    authenticate,
    attempts: authenticate && attempts,
    [Symbol.dispose]: () => identity[Symbol.dispose](),
  }
}
