/** How we make sure of a NATS server, and who we are there. Files are read for each connection, so they may change. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'
import { type CertificateFiles, readCertificates } from '@offstage/proto/certificate-files'

/** Paths of files. At most one of the last three. */
export interface NatsFiles extends CertificateFiles {
  /** The password of the user in the url, or, where it names none, a token. */
  readonly password?: string
  /** An nkey seed. */
  readonly nkey?: string
  /** A JWT and its seed, as `nsc` writes them. */
  readonly creds?: string
}

/** A url of one or several servers, taken apart. */
export interface NatsPlace {
  /** `host:port`. */
  readonly servers: readonly string[]
  /** Whether the scheme is `tls`. */
  readonly tls: boolean
  readonly user?: string
  readonly password?: string
  readonly token?: string
}

export function parseNatsUrl(text: string): NatsPlace {
  const urls = text.split(',').map((each) => new URL(each.trim()))
  const servers = urls.map((url) => `${url.hostname}:${url.port || 4222}`)
  const tls = urls.some((url) => url.protocol === 'tls:')
  const first = urls.find((url) => url.username !== '')
  if (first === undefined) return { servers, tls }
  const user = decodeURIComponent(first.username)
  if (first.password !== '') {
    return { servers, tls, user, password: decodeURIComponent(first.password) }
  }
  return { servers, tls, token: user }
}

/** What the client library takes for one attempt. Throws where a file cannot be read now. */
export function securityOf(place: NatsPlace, files: NatsFiles): Partial<ConnectionOptions> {
  const authenticator = authenticatorOf(place, files)
  const encrypts = place.tls || [files.ca, files.cert, files.key].some((path) => path !== undefined)
  if (!encrypts) return { authenticator }
  const { ca, cert, key } = readCertificates(files)
  const hosts = place.servers.map((server) => server.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''))
  // The library reads files for itself at each reconnect; only that tells it of new ones.
  const named = {
    ...(ca && { caFile: files.ca }),
    ...(cert && { certFile: files.cert }),
    ...(key && { keyFile: files.key }),
  }
  const tls = { ...named, checkServerIdentity: identityCheck(hosts) }
  return { authenticator, tls }
}

/**
 * The library tells Node no name for a server that is known by its address, and Node then takes a certificate for `localhost`.
 * It has to be for one of the addresses.
 */
function identityCheck(hosts: readonly string[]) {
  const addresses = hosts.filter((host) => isIP(host) !== 0)
  const names = hosts.filter((host) => isIP(host) === 0)
  return (name: string, certificate: PeerCertificate): Error | undefined => {
    const byName = name !== 'localhost' || names.includes('localhost')
    const asked = byName ? [name, ...addresses] : addresses
    const faults = asked.map((host) => checkServerIdentity(host, certificate))
    return faults.includes(undefined) ? undefined : faults[0]
  }
}

function authenticatorOf(
  { user, password, token }: NatsPlace,
  files: NatsFiles,
): Authenticator | undefined {
  const { creds, nkey, password: passwordFile } = files
  if (creds !== undefined) return credsAuthenticator(() => read(creds))
  if (nkey !== undefined) return nkeyAuthenticator(() => Buffer.from(textIn(nkey)))
  if (passwordFile !== undefined) {
    const named = user ?? token
    if (named === undefined) return tokenAuthenticator(() => textIn(passwordFile))
    return usernamePasswordAuthenticator(named, () => textIn(passwordFile))
  }
  if (user !== undefined) return usernamePasswordAuthenticator(user, password)
  return token === undefined ? undefined : tokenAuthenticator(token)
}

function textIn(path: string): string {
  return read(path).toString('utf8').trim()
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new Error(`the file ${path} cannot be read (${code})`, { cause })
  }
}
