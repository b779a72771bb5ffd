/** Certificates for the services and for the executor, and somebody who pretends to be the scheduler. */
import { createServer } from 'node:tls'
import type { ServerTls } from '@offstage/kit/grpc'
import { createAuthority, createPemFolder } from '@offstage/testkit'

export interface TlsStage extends AsyncDisposable {
  /** Of the services, which ask for the certificate of the executor. */
  readonly server: ServerTls
  /** For the executor. */
  readonly env: Readonly<Record<string, string>>
  readonly impostor: Impostor
}

/** Its certificate is signed by an authority of its own. */
export interface Impostor {
  readonly address: string
  /** Connections that have come and gone. */
  readonly left: number
  /** Connections on which anything was said. */
  readonly believed: number
}

export async function startTlsStage(): Promise<TlsStage> {
  const resources = new AsyncDisposableStack()
  const authority = await createAuthority()
  const folder = resources.use(await createPemFolder())
  const { ca } = await folder.write({ ca: authority.cert })
  const { cert, key } = await folder.write({ ...(await authority.issue()) })
  const own = await authority.issue()
  const material = {
    ca: Buffer.from(authority.cert),
    cert: Buffer.from(own.cert),
    key: Buffer.from(own.key),
  }
  const impostor = resources.use(await startImpostor())
  return {
    server: { read: () => material, clientCertificates: true },
    env: { OFFSTAGE_TLS_CA: ca, OFFSTAGE_TLS_CERT: cert, OFFSTAGE_TLS_KEY: key },
    impostor,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

async function startImpostor(): Promise<Impostor & AsyncDisposable> {
  const { cert, key } = await (await createAuthority()).issue()
  let [left, believed] = [0, 0]
  const server = createServer({ cert, key, ALPNProtocols: ['h2'] })
  server.on('tlsClientError', () => {
    left += 1
  })
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      believed += 1
    })
    socket.once('close', () => {
      left += 1
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  return {
    address: `127.0.0.1:${bound !== null && typeof bound === 'object' ? bound.port : 0}`,
    get left() {
      return left
    },
    get believed() {
      return believed
    },
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
