/** Where public keys come from: the JWKS of a url, or a file with a JWKS or with keys in PEM. Both bounded in size and time. */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { get as getEncrypted } from 'node:https'
import type { JSONWebKeySet, JWK } from 'jose'
import { get as getPlain } from '../../node-http.ts'
import { isUrl } from './identity-schema.ts'

const BYTES_MAX = 256 * 1024
const KEYS_MAX = 100
const TIMEOUT_MS = 5_000

export interface KeysPlace {
  readonly jwks: string
  readonly jwksCa?: string | undefined
  readonly jwksTokenFile?: string | undefined
}

/** Throws an error that says what is wrong with the place. */
export async function loadKeys(
  place: KeysPlace,
  { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
): Promise<JSONWebKeySet> {
  const { jwks } = place
  try {
    const text = isUrl(jwks) ? await download(place, timeoutMs) : await readFile(jwks, 'utf8')
    return { keys: text.includes('-----BEGIN') ? keysInPem(text) : keysInJwks(text) }
  } catch (cause) {
    const { message } = cause as Error
    throw new Error(`the keys at ${jwks} cannot be had: ${message}`, { cause })
  }
}

async function download(
  { jwks, jwksCa, jwksTokenFile }: KeysPlace,
  timeoutMs: number,
): Promise<string> {
  const ca = jwksCa === undefined ? undefined : await readFile(jwksCa)
  const token = jwksTokenFile === undefined ? '' : (await readFile(jwksTokenFile, 'utf8')).trim()
  const headers = {
    accept: 'application/jwk-set+json, application/json',
    ...(token !== '' && { authorization: `Bearer ${token}` }),
  }
  const signal = AbortSignal.timeout(timeoutMs)
  const options = { headers, signal, ...(ca !== undefined && { ca }), agent: false as const }
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const get = jwks.startsWith('https:') ? getEncrypted : getPlain
  const request = get(jwks, options, async (response) => {
    try {
      // Redirects are not followed: the token must not go where nobody meant it to.
      if (response.statusCode !== 200) throw new Error(`it answers ${response.statusCode}`)
      const chunks: Buffer[] = []
      let size = 0
      for await (const chunk of response as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > BYTES_MAX) throw new Error(`it answers with more than ${BYTES_MAX} bytes`)
        chunks.push(chunk)
      }
      resolve(Buffer.concat(chunks).toString('utf8'))
    } catch (error) {
      response.destroy()
      reject(readable(error, timeoutMs))
    }
  })
  request.on('error', (error) => reject(readable(error, timeoutMs)))
  return promise
}

function readable(error: unknown, timeoutMs: number): unknown {
  const late = error instanceof Error && /^(AbortError|TimeoutError)$/.test(error.name)
  return late ? new Error(`no answer within ${timeoutMs} ms`) : error
}

function keysInJwks(text: string): JWK[] {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    throw new Error('it is neither a JWKS nor keys in PEM')
  }
  const { keys } = Object(content) as { readonly keys?: unknown }
  if (!Array.isArray(keys)) throw new Error('it has no list `keys`, as a JWKS has')
  if (keys.length > KEYS_MAX) throw new Error(`it has more than ${KEYS_MAX} keys`)
  // Only public keys of a kind: an issuer may list others, such as for encryption.
  return keys.filter((key) => typeof key?.kty === 'string' && key.kty !== 'oct')
}

const BLOCK = /-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g

function keysInPem(text: string): JWK[] {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new Error('it holds a private key; only the public one is needed here')
  }
  const blocks = text.match(BLOCK) ?? []
  if (blocks.length === 0) throw new Error('no public key in PEM is in it')
  return blocks.map((block) => {
    const jwk: JsonWebKey = createPublicKey(block).export({ format: 'jwk' })
    return jwk as JWK
  })
}
