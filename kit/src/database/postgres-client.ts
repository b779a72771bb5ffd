/**
 * The clients of a pool. Each reads certificates and the password anew as it connects, so what was rotated holds from the next
 * connection on.
 */
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { readCertificates } from '@offstage/proto/certificate-files'
import pg from 'pg'
import { parseIntoClientConfig } from 'pg-connection-string'
import { type PostgresTls, parsePostgresUrl } from './postgres-url.ts'

export interface PostgresLogin {
  readonly url: string
  /** Holds the password, instead of the url; a line end behind it does not count. */
  readonly passwordFile?: string
}

/** What a pool takes to make its clients, and whoever makes one. Throws where a file cannot be read now. */
export function clientsOf({
  url,
  passwordFile,
}: PostgresLogin): pg.PoolConfig & { readonly Client: typeof pg.Client } {
  const { url: plain, tls } = parsePostgresUrl(url)
  const readPassword = passwordFile === undefined ? undefined : passwordOf(passwordFile)
  const secure = tls && secureOptions(tls)
  class Client extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      // The pool hides the password from enumeration.
      super({ ...config, password: config?.password, ssl: secure?.() ?? false })
    }
  }
  return {
    ...parseIntoClientConfig(plain),
    Client,
    ...(readPassword && { password: readPassword }),
  }
}

/** As with certificates, what cannot be read later leaves what was read before. */
function passwordOf(path: string): () => string {
  let password = passwordIn(path)
  return () => {
    try {
      password = passwordIn(path)
    } catch {
      // The login fails, and says so, where the one that is left does not do any more.
    }
    return password
  }
}

/** What cannot be read later leaves what was read before: the pool could not bear a client that throws as it is made. */
function secureOptions({ checksHost, ...files }: PostgresTls): () => ConnectionOptions {
  let material = readCertificates(files)
  const checks = checksHost ? {} : { checkServerIdentity: () => undefined }
  return () => {
    try {
      material = readCertificates(files)
    } catch {
      // The connection fails, and says so, where what is left does not do any more.
    }
    return { ...material, ...checks }
  }
}

function passwordIn(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new Error(`the password file ${path} cannot be read (${code})`, { cause })
  }
}
