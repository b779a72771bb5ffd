/** Signing keys from a mounted file: a JWK, a JWKS, or keys in PEM. The first signs, all of them verify. */
import { createPrivateKey, createPublicKey, type JsonWebKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type SigningKey, signingKeyFrom } from './signing-key.ts'

const BYTES_MAX = 256 * 1024
const KEYS_MAX = 100
const BLOCK = /-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g

/** Reads the file again whenever it is asked; one that cannot be used changes nothing, and is told of. */
export function keyFileReader(
  path: string,
  onTrouble: (problem: string) => void,
): () => readonly SigningKey[] {
  let keys: readonly SigningKey[] | undefined
  let told = ''
  return () => {
    try {
      keys = readKeyFile(path)
      told = ''
    } catch (error) {
      if (keys === undefined) throw error
      const { message } = error as Error
      // Read again every few seconds: what stays wrong is told once.
      if (message !== told) onTrouble(message)
      told = message
    }
    return keys
  }
}

/** A small file on a local disk. Throws an error that says what is wrong with it, and nothing of what is in it. */
export function readKeyFile(path: string): readonly SigningKey[] {
  const text = contentOf(path)
  const keys = text.includes('-----BEGIN') ? keysInPem(path, text) : keysInJson(path, text)
  const [first] = keys
  if (keys.length > KEYS_MAX) throw new Error(`${path} has more than ${KEYS_MAX} keys`)
  if (first?.privateKey === undefined) {
    throw new Error(`${path} must begin with a private key of Ed25519: the first key signs`)
  }
  const ids = keys.map(({ id }) => id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw new Error(`${path} has two keys that are called ${twice}`)
  return keys
}

function contentOf(path: string): string {
  let content: Buffer
  try {
    content = readFileSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const problem = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new Error(`the file ${path} ${problem}`)
  }
  if (content.length > BYTES_MAX) throw new Error(`${path} has more than ${BYTES_MAX} bytes`)
  return content.toString('utf8')
}

function keysInPem(path: string, text: string): SigningKey[] {
  return [...text.matchAll(BLOCK)].map(([block, kind = ''], index) =>
    keyAt(path, index, () =>
      signingKeyFrom(kind.includes('PRIVATE') ? createPrivateKey(block) : createPublicKey(block)),
    ),
  )
}

function keysInJson(path: string, text: string): SigningKey[] {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    throw new Error(`${path} is neither a JWK, nor a JWKS, nor keys in PEM`)
  }
  const { keys = [content] } = Object(content) as { readonly keys?: unknown }
  if (!Array.isArray(keys)) throw new Error(`${path} has \`keys\` that are no list`)
  return keys.map((key: JsonWebKey | null, index) =>
    keyAt(path, index, () => {
      const { d, kid } = Object(key) as JsonWebKey
      const read = d === undefined ? createPublicKey : createPrivateKey
      const id = typeof kid === 'string' && kid !== '' ? kid : undefined
      return signingKeyFrom(read({ key: Object(key), format: 'jwk' }), id)
    }),
  )
}

function keyAt(path: string, index: number, read: () => SigningKey): SigningKey {
  try {
    return read()
  } catch (error) {
    const { message } = error as Error
    throw new Error(`${path}: key ${index + 1} cannot be used: ${message}`)
  }
}
