import type { KeyObject } from 'node:crypto'
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'

/** A key of Ed25519 that tokens of attempts are signed with, or that some were signed with. */
export interface SigningKey {
  /** The name that tokens give. */
  readonly id: string
  readonly publicKey: KeyObject
  /** Absent: it only verifies. */
  readonly privateKey?: KeyObject
}

/** Throws where the key is of another kind. */
export function signingKeyFrom(key: KeyObject, id?: string): SigningKey {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Error(`a key of Ed25519 is needed, not of ${key.asymmetricKeyType}`)
  }
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  const named = { id: id ?? thumbprintOf(publicKey), publicKey }
  return key.type === 'private' ? { ...named, privateKey: key } : named
}

/** PKCS #8 in PEM. */
export function signingKeyFromPem(id: string, pem: string): SigningKey {
  return signingKeyFrom(createPrivateKey(pem), id)
}

/** A new one as it is stored. */
export function newStoredKey(): { readonly id: string; readonly privateKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' })
  return { id: thumbprintOf(publicKey), privateKey: String(pem) }
}

/** The public halves, as others verify by them (RFC 7517, RFC 8037). */
export function jwksOf(keys: readonly SigningKey[]): string {
  const shown = keys.map(({ id, publicKey }) => {
    const { kty, crv, x } = publicKey.export({ format: 'jwk' })
    return { kty, crv, x, kid: id, alg: 'EdDSA', use: 'sig' }
  })
  return JSON.stringify({ keys: shown })
}

/** RFC 7638: the same name for the same key, wherever it is read. */
function thumbprintOf(publicKey: KeyObject): string {
  const { crv, kty, x } = publicKey.export({ format: 'jwk' })
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url')
}
