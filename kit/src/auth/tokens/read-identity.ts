import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type IdentityConfig, identitySchema, isUrl } from './identity-schema.ts'

/** The file cannot be used; `problems` says what is wrong with it, each with the place in the file. */
export class IdentityFileError extends Error {
  override readonly name = 'IdentityFileError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.problems = problems
  }
}

/** Reads and checks the file. Paths in it are as seen from its folder. Throws an IdentityFileError with every fault. */
export function readIdentity(path: string): IdentityConfig {
  const result = identitySchema.safeParse(contentOf(path))
  if (result.error !== undefined) {
    const problems = result.error.issues.map(
      (issue) => `${path}: ${placeOf(issue.path)}${issue.message}`,
    )
    throw new IdentityFileError(problems)
  }
  const from = (file: string) => resolve(dirname(path), file)
  return {
    ...result.data,
    issuers: result.data.issuers.map((issuer) => ({
      ...issuer,
      jwks: isUrl(issuer.jwks) ? issuer.jwks : from(issuer.jwks),
      jwksCa: issuer.jwksCa && from(issuer.jwksCa),
      jwksTokenFile: issuer.jwksTokenFile && from(issuer.jwksTokenFile),
    })),
  }
}

function contentOf(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const problem = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new IdentityFileError([`the file ${path} ${problem}`])
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new IdentityFileError([`${path} is not JSON${placeIn(error)}`])
  }
}

/** `issuers[0].audience: `, as one would write it. */
function placeOf(path: readonly PropertyKey[]): string {
  const place = path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
  return place === '' ? '' : `${place}: `
}

/** Where a text stops being JSON. What stands there is not told: it may be a secret that the wrong variable names. */
function placeIn(error: unknown): string {
  const [place] = String(error).match(/ at position \d+( \(line \d+ column \d+\))?/) ?? ['']
  return place
}
