import {
  CertificateFileError,
  type CertificateFiles,
  certificateSource,
  readCertificates,
} from '@offstage/proto/certificate-files'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { numberRule, text } from '../arguments/rules.ts'
import type { ChannelTls } from '../grpc/mod.ts'

/** TLS of the connections to the services: PEM files. They are read again while the client lives; a new one holds for the next connection. */
export interface ConnectTls {
  /** Path of who signs the services' certificates; `system` for public authorities. Default OFFSTAGE_TLS_CA, else `system`. */
  readonly ca?: string
  /** Path of the certificate to show where services ask for one (mutual TLS). Default OFFSTAGE_TLS_CERT, else none. */
  readonly cert?: string
  /** Path of the key of `cert`. Default OFFSTAGE_TLS_KEY. */
  readonly key?: string
  /** How often they are read again, in milliseconds. Default 10,000. */
  readonly reloadMs?: number
}

const TLS_RULES: Rules<ConnectTls> = {
  ca: text,
  cert: text,
  key: text,
  reloadMs: numberRule('a number of milliseconds from 1', (value) => value >= 1),
}
const VARIABLES = { ca: 'OFFSTAGE_TLS_CA', cert: 'OFFSTAGE_TLS_CERT', key: 'OFFSTAGE_TLS_KEY' }

/**
 * By option or environment; undefined for plain text, which `false` says and is what holds where nothing is set.
 * @throws TypeError naming the option or the variable whose file cannot be used.
 */
export function connectTls(given: ConnectTls | false | undefined): ChannelTls | undefined {
  if (given === false) return undefined
  if (given !== undefined) checkOptions('connect', given, TLS_RULES)
  const { env } = process
  const { reloadMs: everyMs, ...named } = given ?? {}
  const files = withoutEmpty(
    given
      ? named
      : { ca: env.OFFSTAGE_TLS_CA, cert: env.OFFSTAGE_TLS_CERT, key: env.OFFSTAGE_TLS_KEY },
  )
  if (given === undefined && Object.keys(files).length === 0) return undefined
  try {
    readCertificates(files)
  } catch (cause) {
    if (!(cause instanceof CertificateFileError)) throw cause
    const name = given === undefined ? VARIABLES[cause.file] : `tls.${cause.file}`
    throw new TypeError(`${name}: ${cause.message}`, { cause })
  }
  return { ...certificateSource(files, { everyMs }), clientCertificate: files.cert !== undefined }
}

function withoutEmpty(
  files: { [name in keyof CertificateFiles]: string | undefined },
): CertificateFiles {
  return Object.fromEntries(Object.entries(files).filter(([, path]) => path))
}
