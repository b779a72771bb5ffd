import { Metadata } from '@grpc/grpc-js'

/** Who calls, as it goes with every call. Empty texts are left out. */
export function metadataFrom(identity: {
  readonly token?: string
  readonly user?: string
  readonly traceparent?: string
}): Metadata {
  const metadata = new Metadata()
  const { token, user, traceparent } = identity
  if (token) metadata.set('authorization', `Bearer ${token}`)
  // Believed in development mode only; elsewhere the token says who calls.
  if (user) metadata.set('offstage-user', user)
  if (traceparent) metadata.set('traceparent', traceparent)
  return metadata
}
