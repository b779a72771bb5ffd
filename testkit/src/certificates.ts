/** Certificates for tests: an authority of their own, and what it signs, as files that can be replaced while they are in use. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'selfsigned'

export interface Authority {
  /** Its own certificate, PEM: whom to trust. */
  readonly cert: string
  /** Signs one, for a server and a client alike, valid for an hour. */
  issue(options?: IssueOptions): Promise<Issued>
}

export interface IssueOptions {
  /** The subject's common name. Default `offstage-test`. */
  readonly name?: string
  /** Default `localhost`. */
  readonly hosts?: readonly string[]
  /** Default `127.0.0.1`. */
  readonly addresses?: readonly string[]
  /** Default: in an hour. */
  readonly validUntil?: Date
}

export interface Issued {
  readonly cert: string
  readonly key: string
}

const MINUTE_MS = 60_000

/** `name`: of its own by default, since one is looked up by it. */
export async function createAuthority(name = `authority ${randomUUID()}`): Promise<Authority> {
  const own = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - 60 * MINUTE_MS),
    notAfterDate: new Date(Date.now() + 60 * MINUTE_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  return {
    cert: ended(own.cert),
    async issue(options = {}) {
      const { name: subject = 'offstage-test', validUntil } = options
      const { hosts = ['localhost'], addresses = ['127.0.0.1'] } = options
      const made = await generate([{ name: 'commonName', value: subject }], {
        keyType: 'ec',
        algorithm: 'sha256',
        notBeforeDate: new Date(Date.now() - 60 * MINUTE_MS),
        notAfterDate: validUntil ?? new Date(Date.now() + 60 * MINUTE_MS),
        ca: { cert: own.cert, key: own.private },
        extensions: [
          { name: 'basicConstraints', cA: false },
          { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
          {
            name: 'subjectAltName',
            altNames: [
              ...hosts.map((value) => ({ type: 2 as const, value })),
              ...addresses.map((ip) => ({ type: 7 as const, ip })),
            ],
          },
        ],
      })
      return { cert: ended(made.cert), key: made.private }
    },
  }
}

/** Ready for another one behind it. */
function ended(pem: string): string {
  return `${pem.trimEnd()}\n`
}

/** PEM files in a folder of their own, which goes at the end. */
export interface PemFolder extends AsyncDisposable {
  readonly path: string
  /** Writes files, each at once as a whole, and resolves to their paths; what is there already is replaced. */
  write<N extends string>(texts: Readonly<Record<N, string>>): Promise<Record<N, string>>
}

export async function createPemFolder(): Promise<PemFolder> {
  const path = await mkdtemp(join(tmpdir(), 'offstage-pem-'))
  return {
    path,
    async write(texts) {
      const paths: Record<string, string> = {}
      for (const [name, text] of Object.entries<string>(texts)) {
        const file = join(path, `${name}.pem`)
        await writeFile(`${file}.new`, text, { mode: 0o600 })
        await rename(`${file}.new`, file)
        paths[name] = file
      }
      return paths as Record<keyof typeof texts, string>
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}
