import type { PeerCertificate } from 'node:tls'

/** What comes with a call beside its headers. */
export interface Shown {
  /** The names in the certificate that the client has shown and TLS has verified; none where there is none. */
  certificateNames(): readonly string[]
}

/** Names with a comma or the like are in quotes there; nobody who is configured is called so. */
const NAME = /(?:^|, )(?:DNS|URI):([^",\\]+)(?=, |$)/g

/** The common name, and the DNS names and URIs beside it. */
export function namesIn(certificate: PeerCertificate): readonly string[] {
  const { subject, subjectaltname = '' } = certificate
  const common: unknown = subject?.CN
  const others = [...subjectaltname.matchAll(NAME)].map(([, name = '']) => name)
  return typeof common === 'string' ? [common, ...others] : others
}
