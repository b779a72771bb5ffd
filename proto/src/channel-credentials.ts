import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import {
  type ChannelCredentials,
  type ChannelOptions,
  credentials,
  experimental,
} from '@grpc/grpc-js'
import { Certificates, type TlsSource } from './certificates.ts'
import { hostsOfTarget } from './target-hosts.ts'

/** TLS of a client. Certificates are read again while the channel is used: a rotated one holds for the next connection. */
export interface ChannelTls extends TlsSource {
  /** Whether to show `cert` to the service, which asks for it (mutual TLS). Default false. */
  readonly clientCertificate?: boolean
}

export interface ChannelSecurity {
  readonly credentials: ChannelCredentials
  /** What the channel must be made with beside them. */
  readonly options: ChannelOptions
}

/**
 * Said as the name of a server that is called by its address. grpc-js would say the address, which RFC 6066 does not allow and Node
 * warns of (DEP0123), and cannot be told to say none. A name that RFC 2606 keeps from ever being one selects nothing.
 */
const NO_SERVER_NAME = 'address.invalid'

/** How a client makes sure of the service at `address` and shows who it is; plain text where `tls` is undefined. */
export function channelSecurity(tls: ChannelTls | undefined, address: string): ChannelSecurity {
  if (tls === undefined) return { credentials: credentials.createInsecure(), options: {} }
  const certificates = new Certificates(tls)
  const identity = tls.clientCertificate ? certificates : null
  const secured = experimental.createCertificateProviderChannelCredentials
  const hosts = hostsOfTarget(address)
  if (!hosts.some((host) => isIP(host) !== 0)) {
    return { credentials: secured(certificates, identity), options: {} }
  }
  const checkIdentity = (_said: string, certificate: PeerCertificate) => isOneOf(hosts, certificate)
  return {
    credentials: secured(certificates, identity, { checkServerIdentity: checkIdentity }),
    options: { 'grpc.ssl_target_name_override': NO_SERVER_NAME },
  }
}

/** Which of the addresses was dialled is not told to who checks; the caller trusts them all alike. */
function isOneOf(hosts: readonly string[], certificate: PeerCertificate): Error | undefined {
  const faults = hosts.map((host) => checkServerIdentity(host, certificate))
  return faults.includes(undefined) ? undefined : faults[0]
}
