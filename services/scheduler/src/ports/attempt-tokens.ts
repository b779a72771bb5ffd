/** What tokens of attempts are made of. */
import type { AttemptRef } from '../domain/held-job.ts'
import type { SessionKey } from '../domain/ids.ts'

/** What a token for an attempt is made of. */
export interface JobOfAttempt {
  readonly owner: string
  readonly namespace: string
  /** It was started as privileged, and its method says so still. */
  readonly privileged: boolean
}

export interface HeldAttemptStore {
  /** Of each whether it is the newest of its job, and runs or waits on an executor that is not lost. */
  goOn(attempts: readonly AttemptRef[]): Promise<boolean[]>
  /** The job of an attempt that goes on and that this session holds; else undefined. */
  findHeld(attempt: AttemptRef, sessionKey: SessionKey): Promise<JobOfAttempt | undefined>
}

export interface StoredSigningKey {
  readonly id: string
  /** PKCS #8 in PEM. */
  readonly privateKey: string
  readonly ageMs: number
}

/** Keys that sign the tokens of attempts. */
export interface SigningKeyStore {
  /** Newest first. */
  read(): Promise<StoredSigningKey[]>
  /**
   * Adds a key unless there is one younger than `olderThanMs`, whoever made it. Keys whose successor has been there for `keepMs`
   * are removed.
   */
  replace(
    key: Omit<StoredSigningKey, 'ageMs'>,
    terms: { readonly olderThanMs: number; readonly keepMs: number },
  ): Promise<void>
}
