/**
 * Tokens by which the handlers of attempts act for the owners of their jobs. Made when a handler first calls, never for each
 * attempt; any replica makes them and verifies those of all.
 *
 * 1. A token is made only for the session that holds the attempt, as the database knows it at that moment.
 * 2. It says no more than the owner could do: as a user, in the namespace of the job. Where the job's method is privileged, and this is
 *    asked for, it acts as a service there; the user is still the owner (row J5).
 * 3. It is worth nothing once the attempt has ended, found out within `KEPT_MS`.
 */
import { createAttemptVerifier, signAttemptToken } from '@offstage/kit/auth/attempts'
import type { VerifyToken } from '@offstage/kit/auth/tokens'
import type { AttemptRef } from '../domain/held-job.ts'
import type { SessionKey } from '../domain/ids.ts'
import type { HeldAttemptStore } from '../ports/attempt-tokens.ts'
import { attemptNotHeld, overloaded } from '../refusals.ts'
import { createBatcher } from '../statements/batcher.ts'
import type { KeyRing } from './key-ring.ts'
import { jwksOf } from './signing-key.ts'

/** For so long it is believed that an attempt goes on; storage adds as much (docs/security.md says the sum). */
export const KEPT_MS = 500

export interface AttemptTokensOptions {
  readonly keys: KeyRing
  readonly store: HeldAttemptStore
  readonly tokenMs: number
  readonly keptMs?: number
}

export interface IssuedToken {
  readonly token: string
  readonly expireTime: Date
}

export interface AttemptTokens {
  /** Refused where the session does not hold the attempt. `privileged`: as the handler of a privileged method may act. */
  issue(
    attempt: AttemptRef,
    sessionKey: SessionKey,
    asked?: { readonly privileged: boolean },
  ): Promise<IssuedToken>
  readonly verify: VerifyToken
  /** The public keys. */
  jwks(): Promise<string>
}

export function createAttemptTokens(options: AttemptTokensOptions): AttemptTokens {
  const { keys, store, tokenMs, keptMs = KEPT_MS } = options
  const goOn = createBatcher<AttemptRef, boolean>({
    run: (attempts) => store.goOn(attempts),
    maxItems: 1_000,
    maxQueued: 50_000,
    overflow: () => overloaded('looks at attempts'),
  })
  return {
    async issue(attempt, sessionKey, asked) {
      const job = await store.findHeld(attempt, sessionKey)
      if (job === undefined) throw attemptNotHeld(attempt)
      const { owner: user, namespace, privileged } = job
      const roles = privileged && asked?.privileged ? (['service'] as const) : (['user'] as const)
      const grant = { ...attempt, user, namespace, roles }
      const { id, privateKey } = await keys.signer()
      return signAttemptToken(grant, { keyId: id, privateKey, lifeMs: tokenMs })
    },
    verify: createAttemptVerifier({
      keptMs,
      findKey: (id) => keys.find(id),
      goesOn: async (attempt) => (await goOn.add([attempt]))[0] === true,
    }),
    jwks: async () => jwksOf(await keys.all()),
  }
}
