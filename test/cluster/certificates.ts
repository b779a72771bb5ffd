/** Certificates for all services of a cluster and their clients, which can be replaced while jobs flow. */
import { type Authority, createPemFolder } from '@offstage/testkit'

export interface ClusterCertificates extends AsyncDisposable {
  /** For the environment of every process: each asks the others for a certificate. */
  readonly env: Readonly<Record<string, string>>
  /** For a client of the SDK. */
  readonly tls: {
    readonly ca: string
    readonly cert: string
    readonly key: string
    readonly reloadMs: number
  }
  /** Whom everybody trusts from now on. */
  trust(...authorities: readonly Authority[]): Promise<void>
  /** Who signs everybody's certificates from now on. */
  signBy(authority: Authority): Promise<void>
}

const RELOAD_MS = 200

/** Signed by `authority`, and by nobody else. */
export async function createClusterCertificates(
  authority: Authority,
): Promise<ClusterCertificates> {
  const folder = await createPemFolder()
  const trust = (...authorities: readonly Authority[]) =>
    folder.write({ ca: authorities.map(({ cert }) => cert).join('') })
  const signBy = async (signer: Authority) => folder.write({ ...(await signer.issue()) })
  const { ca } = await trust(authority)
  const { cert, key } = await signBy(authority)
  return {
    env: {
      OFFSTAGE_TLS_SERVER_CERT: cert,
      OFFSTAGE_TLS_SERVER_KEY: key,
      OFFSTAGE_TLS_CLIENT_CA: ca,
      OFFSTAGE_TLS_CA: ca,
      OFFSTAGE_TLS_CERT: cert,
      OFFSTAGE_TLS_KEY: key,
      OFFSTAGE_TLS_RELOAD: `${RELOAD_MS}ms`,
    },
    tls: { ca, cert, key, reloadMs: RELOAD_MS },
    trust: async (...authorities) => void (await trust(...authorities)),
    signBy: async (signer) => void (await signBy(signer)),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

/** Files of a client that `authority` has signed and that trusts `services`. */
export async function clientOf(authority: Authority, services: Authority) {
  const folder = await createPemFolder()
  const files = await folder.write({ ca: services.cert, ...(await authority.issue()) })
  return { files, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}
