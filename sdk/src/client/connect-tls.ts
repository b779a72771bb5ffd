import {
  CertificateFileError,
  type CertificateFiles,
  certificateSource,
  readCertificates,
} from '@offstage/proto/certificate-files'
import { isLoopbackTarget } from '@offstage/proto/loopback'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { numberRule, text } from '../arguments/rules.ts'
import { type ChannelTls, withoutLogin } from '../grpc/mod.ts'

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

/** Whether somebody says that plain text may leave this machine, since something else encrypts. */
export function isPlainTextMeant(given: ConnectTls | false | undefined): boolean {
  const said = process.env.OFFSTAGE_TLS || undefined
  if (said !== undefined && said !== 'off') {
    throw new TypeError('OFFSTAGE_TLS can only be "off"; TLS is on where OFFSTAGE_TLS_CA is set')
  }
  return given === false || said === 'off'
}

/**
 * @param targets by the variables that set them.
 * @throws TypeError naming the one that is not on this machine.
 */
export function refusePlainToken(targets: Readonly<Record<string, string>>): void {
  for (const [name, target] of Object.entries(targets)) {
    if (isLoopbackTarget(target)) continue
    throw new TypeError(
      `the token would go to ${withoutLogin(target)} (${name}) in plain text, where anybody between can take it: set OFFSTAGE_TLS_CA, or the option ` +
        'tls, to the file of who signs the certificates there, or to system. Where something else encrypts, as in a mesh, set ' +
        'OFFSTAGE_TLS=off, or the option tls to false',
    )
  }
}

function withoutEmpty(
  files: { [name in keyof CertificateFiles]: string | undefined },
): CertificateFiles {
  return Object.fromEntries(Object.entries(files).filter(([, path]) => path))
}
