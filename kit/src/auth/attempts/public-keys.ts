import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

/** The keys of a JWKS by their names. Throws where it is none. */
export function publicKeysIn(jwks: string): Map<string, KeyObject> {
  const { keys }: { readonly keys: readonly (JsonWebKey & { readonly kid: string })[] } =
    JSON.parse(jwks)
  return new Map(keys.map((key) => [key.kid, createPublicKey({ key, format: 'jwk' })]))
}
