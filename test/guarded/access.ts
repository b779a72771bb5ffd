/** How a test that does not call by the SDK as the user of its environment is let in; it says nothing where no test runs guarded. */
import { readFileSync } from 'node:fs'
import { credentials, Metadata } from '@grpc/grpc-js'
import {
  type ChannelSecurity,
  type ChannelTls,
  channelSecurity,
} from '@offstage/proto/channel-credentials'

/** Of the token of the environment. */
export const GUARDED_USER = 'guarded'

const ROLES = ['executor', 'operator', 'admin', 'service'] as const
type OtherRole = (typeof ROLES)[number]

/** The variable that a token of somebody else is in; a service knows none of them. */
const variableOf = (role: OtherRole) => `GUARDED_${role.toUpperCase()}_TOKEN`

/** For the environment: a token of each role. */
export async function tokensOfOthers(
  sign: (role: OtherRole) => Promise<string>,
): Promise<Record<string, string>> {
  const entries = ROLES.map(async (role) => [variableOf(role), await sign(role)] as const)
  return Object.fromEntries(await Promise.all(entries))
}

/** A token of somebody else, as an option of the SDK. */
export function callingAs(role: OtherRole): { readonly token?: string } {
  const token = process.env[variableOf(role)]
  return token === undefined ? {} : { token }
}

/** Whom the services take one for who says that name, and brings the token of the environment where there is one. */
export function userOfTests(name: string): string {
  return process.env.OFFSTAGE_TOKEN === undefined ? name : GUARDED_USER
}

/** For a channel of the SDK. */
export function guardedTls(): { readonly tls?: ChannelTls } {
  const { OFFSTAGE_TLS_CA: ca, OFFSTAGE_TLS_CERT: cert, OFFSTAGE_TLS_KEY: key } = process.env
  if (!ca || !cert || !key) return {}
  const read = () => ({ ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) })
  return { tls: { read, clientCertificate: true } }
}

/** For a client of grpc-js; by default its calls bring the token of the environment. */
export function accessTo(
  address: string,
  token: string | undefined = process.env.OFFSTAGE_TOKEN,
): ChannelSecurity {
  const { tls } = guardedTls()
  const security = channelSecurity(tls, address)
  if (tls === undefined || !token) return security
  const caller = credentials.createFromMetadataGenerator((_params, done) => {
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${token}`)
    done(null, metadata)
  })
  return { ...security, credentials: security.credentials.compose(caller) }
}
