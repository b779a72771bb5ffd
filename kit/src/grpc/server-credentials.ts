import { experimental, ServerCredentials } from '@grpc/grpc-js'
import { Certificates, type TlsSource } from '@offstage/proto/certificates'

/** Far longer than a slow network takes; who says nothing holds a socket for so long. */
const HANDSHAKE_MS_MAX = 10_000

/** TLS of a server. */
export interface ServerTls extends TlsSource {
  /** Whether clients must show a certificate signed by `ca` (mutual TLS). Default false. */
  readonly clientCertificates?: boolean
}

/** Reads the certificates once, so that a server without them does not start; rotated ones follow by themselves. */
export async function serverCredentials(tls: ServerTls | undefined): Promise<ServerCredentials> {
  if (tls === undefined) return ServerCredentials.createInsecure()
  const { clientCertificates = false } = tls
  const certificates = new Certificates(tls)
  const { ca, cert, key } = await certificates.open()
  if (cert === undefined || key === undefined)
    throw new Error('TLS needs a certificate and its key')
  if (clientCertificates && ca === undefined) {
    throw new Error('asking clients for certificates needs the ca that signs them')
  }
  // The first is where the server's own certificate comes from, the second who signs clients': grpc-js 1.14 declares them the
  // other way round than it reads them.
  const credentials = experimental.createCertificateProviderServerCredentials(
    certificates,
    clientCertificates ? certificates : (null as never),
    clientCertificates,
  )
  return withHandshakeTimeout(credentials)
}

/** Node leaves a handshake two minutes, and grpc-js has no option for it: it hands on what these hold to the server of node:tls. */
function withHandshakeTimeout(credentials: ServerCredentials): ServerCredentials {
  const options = credentials._getConstructorOptions()
  const bounded = { ...options, handshakeTimeout: HANDSHAKE_MS_MAX }
  credentials._getConstructorOptions = () => bounded
  return credentials
}
