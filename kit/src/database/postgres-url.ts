import type { CertificateFiles } from '@offstage/proto/certificate-files'

/** How the server is made sure of, out of the parameters of a url that libpq knows too. */
export interface PostgresTls extends CertificateFiles {
  /** Whether the certificate must be for the host of the url: `verify-full`. */
  readonly checksHost: boolean
}

export interface PostgresUrl {
  /** Without what says how to encrypt. */
  readonly url: string
  /** Absent: plain text. */
  readonly tls?: PostgresTls
}

const TLS_PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'] as const
const REFUSED_PARAMETERS = ['ssl', 'sslnegotiation', 'sslpassword', 'uselibpqcompat']

/** Takes a url apart. Throws a TypeError that names the parameter that is wrong. */
export function parsePostgresUrl(text: string): PostgresUrl {
  const url = new URL(text)
  const { searchParams } = url
  for (const name of REFUSED_PARAMETERS) {
    if (searchParams.has(name)) {
      throw new TypeError(`${name} is not read; say sslmode=verify-full, and sslrootcert=<file>`)
    }
  }
  const [mode, ca, cert, key] = TLS_PARAMETERS.map((name) => searchParams.get(name) || undefined)
  for (const name of TLS_PARAMETERS) searchParams.delete(name)
  const named = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  const hasFiles = Object.keys(named).length > 0
  switch (mode ?? (hasFiles ? 'verify-full' : 'disable')) {
    case 'verify-full':
      return { url: url.href, tls: { ...named, checksHost: true } }
    case 'verify-ca':
      if (ca === undefined || ca === 'system') {
        throw new TypeError(
          'sslmode=verify-ca needs sslrootcert=<file>, or whoever has any certificate would do',
        )
      }
      return { url: url.href, tls: { ...named, checksHost: false } }
    case 'disable':
      if (!hasFiles) return { url: url.href }
      throw new TypeError('sslmode=disable beside certificates; say verify-full, or leave them out')
    default:
      throw new TypeError(
        'sslmode must be verify-full, verify-ca or disable: the others trust whoever answers',
      )
  }
}

/** Whether the url says itself how to encrypt, be it that it does not want to. */
export function saysSslMode(text: string): boolean {
  return URL.parse(text)?.searchParams.has('sslmode') ?? false
}
