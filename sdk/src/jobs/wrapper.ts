/** What bytes pass through on their way: compression, encryption (row J22). */

/**
 * A codec of one's own around JSON or CBOR, such as compression or encryption. Its name, and the key id it gives, are in the content
 * type of what it has wrapped, so that a reader knows what to undo; see {@link CodecOptions}.
 */
export interface Wrapper {
  /** Lower-case letters, digits, `.`, `_` and `-`, at most 32: stable, since stored values name it. */
  readonly name: string
  /**
   * Wraps bytes; undefined leaves them as they are, such as those too few to be worth it. `contentType` says what they are, for
   * who wants to bind it: `unwrap` is given the same. What is thrown fails the start or the attempt.
   */
  wrap(bytes: Uint8Array, contentType: string): Wrapped | undefined | Promise<Wrapped | undefined>
  /** Gives back what was wrapped. What is thrown fails the attempt, or the call that reads. */
  unwrap(bytes: Uint8Array, contentType: string, keyId: string): Uint8Array | Promise<Uint8Array>
}

/** What a wrapper made of bytes. */
export interface Wrapped {
  readonly bytes: Uint8Array
  /** By which key, for `unwrap`: letters, digits and `._~+/=-`, at most 64. Readable by whoever may see the value. Default none. */
  readonly keyId?: string
}

const NAME = /^[a-z0-9._-]{1,32}$/
const KEY_ID = /^[\w.~+/=-]{1,64}$/

export function isWrapper(value: unknown): value is Wrapper {
  if (typeof value !== 'object' || value === null) return false
  const { name, wrap, unwrap } = value as Record<string, unknown>
  return isWrapperName(name) && typeof wrap === 'function' && typeof unwrap === 'function'
}

function isWrapperName(name: unknown): boolean {
  return typeof name === 'string' && NAME.test(name)
}

export function isKeyId(keyId: unknown): keyId is string {
  return typeof keyId === 'string' && KEY_ID.test(keyId)
}
