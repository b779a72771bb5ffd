/** An issuer of tokens for tests: makes keys, serves the public halves as a JWKS over HTTP, and signs what it is told to. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

export interface TestIssuerOptions {
  /** The `iss` of its tokens. Default `https://issuer.test`. */
  readonly issuer?: string
  /** Their `aud`. Default `offstage`. */
  readonly audience?: string
  /** Default ES256. */
  readonly algorithm?: string
  /** PEM texts to serve the JWKS over https with. Default: plain http. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** The token without which the JWKS is not given. Default: none. */
  readonly bearer?: string
}

/** What a token says; the rest as by default. */
export interface TestTokenOptions {
  readonly user: string
  /** Default `['user']`. */
  readonly roles?: readonly string[]
  /** Default all. */
  readonly namespaces?: readonly string[] | 'all'
  /** Seconds from now until it ends; negative: it has ended. Default 600. */
  readonly endsInS?: number
  /** Claims beside these, or in place of them; undefined leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Parts of its header in place of its own. */
  readonly header?: Readonly<Record<string, unknown>>
}

/** One entry of `issuers` in an identity file. */
export interface TestIssuerEntry {
  readonly issuer: string
  readonly audience: string
  readonly jwks: string
}

export interface TestIssuer extends AsyncDisposable {
  readonly issuer: string
  readonly audience: string
  readonly jwksUrl: string
  /** As an identity file names it. */
  readonly entry: TestIssuerEntry
  /** The public keys served now. */
  readonly keys: readonly JWK[]
  /** How often the keys were asked for. */
  readonly asked: number
  sign(options: TestTokenOptions): Promise<string>
  /** Makes a new key that signs from now on. `keep`: how many of those before stay served; default all. */
  rotate(keep?: number): Promise<void>
  /** How the JWKS is answered: with its keys, this status, this text, or not at all. */
  answer(how: Answer): void
  /** Writes an identity file that names this issuer, with what is given added to its entry. */
  identityFile(entry?: object): Promise<string>
}

type Answer = 'keys' | 'never' | number | { readonly text: string }

interface Key {
  readonly kid: string
  readonly privateKey: Parameters<SignJWT['sign']>[0]
  readonly jwk: JWK
}

export async function startTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { issuer = 'https://issuer.test', audience = 'offstage', algorithm = 'ES256' } = options
  const { tls, bearer } = options
  const folder = await mkdtemp(join(tmpdir(), 'offstage-issuer-'))
  let made = 0
  let files = 0
  let asked = 0
  let how: Answer = 'keys'
  let keys: readonly Key[] = []

  const serve: RequestListener = ({ url, headers }, response) => {
    asked += 1
    if (how === 'never') return
    const known = bearer === undefined || headers.authorization === `Bearer ${bearer}`
    const status = typeof how === 'number' ? how : known ? (url === '/jwks' ? 200 : 404) : 401
    const body = JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(typeof how === 'object' ? how.text : status === 200 ? body : undefined)
  }
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert(address !== null && typeof address === 'object')
  const jwksUrl = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}/jwks`

  const rotate = async (keep = Number.POSITIVE_INFINITY) => {
    made += 1
    const kid = `key-${made}`
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
    const jwk = { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' }
    keys = [{ kid, privateKey, jwk }, ...keys.slice(0, keep)]
  }
  await rotate()

  const entry = { issuer, audience, jwks: jwksUrl }
  return {
    issuer,
    audience,
    jwksUrl,
    entry,
    get keys() {
      return keys.map(({ jwk }) => jwk)
    },
    get asked() {
      return asked
    },
    async sign({ user, roles = ['user'], namespaces = 'all', endsInS = 600, claims, header }) {
      const [key] = keys
      assert(key !== undefined)
      const nowS = Math.floor(Date.now() / 1_000)
      const all = {
        iss: issuer,
        aud: audience,
        sub: user,
        roles,
        namespaces: namespaces === 'all' ? ['*'] : namespaces,
        iat: nowS + Math.min(endsInS, 0),
        exp: nowS + endsInS,
        ...claims,
      }
      const protectedHeader = { alg: algorithm, kid: key.kid, ...header }
      return new SignJWT(all).setProtectedHeader(protectedHeader).sign(key.privateKey)
    },
    rotate,
    answer(next) {
      how = next
    },
    async identityFile(more = {}) {
      files += 1
      const path = join(folder, `identity-${files}.json`)
      await writeFile(path, JSON.stringify({ issuers: [{ ...entry, ...more }] }))
      return path
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
      await rm(folder, { recursive: true })
    },
  }
}
