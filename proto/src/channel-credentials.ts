import { type ChannelCredentials, credentials, experimental } from '@grpc/grpc-js'
import { Certificates, type TlsSource } from './certificates.ts'

/** TLS of a client. Certificates are read again while the channel is used: a rotated one holds for the next connection. */
export interface ChannelTls extends TlsSource {
  /** Whether to show `cert` to the service, which asks for it (mutual TLS). Default false. */
  readonly clientCertificate?: boolean
}

/** How a client makes sure of the service and shows who it is; undefined for plain text. */
export function channelCredentials(tls: ChannelTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure()
  const certificates = new Certificates(tls)
  return experimental.createCertificateProviderChannelCredentials(
    certificates,
    tls.clientCertificate ? certificates : null,
  )
}
