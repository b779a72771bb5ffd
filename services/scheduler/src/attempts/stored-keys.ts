import type { SigningKeyStore } from '../ports/attempt-tokens.ts'
import { newStoredKey, type SigningKey, signingKeyFromPem } from './signing-key.ts'

export interface KeyTerms {
  /** The newest key signs for so long; then whoever finds it makes the next. */
  readonly olderThanMs: number
  /** For how long a key goes on to verify once it has a successor. */
  readonly keepMs: number
}

/** The keys of all replicas, newest first; makes the next one where it is due. */
export async function readStoredKeys(
  store: SigningKeyStore,
  terms: KeyTerms,
): Promise<readonly SigningKey[]> {
  let stored = await store.read()
  if ((stored[0]?.ageMs ?? Number.POSITIVE_INFINITY) >= terms.olderThanMs) {
    await store.replace(newStoredKey(), terms)
    stored = await store.read()
  }
  return stored.map(({ id, privateKey }) => signingKeyFromPem(id, privateKey))
}
