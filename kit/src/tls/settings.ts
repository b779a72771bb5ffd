/**
 * What the environment says of TLS: files for the port a service listens on, files for the calls it makes, and whether plain text
 * may leave this machine. Nothing does by default: tokens, parameters and results are not for whoever listens in.
 */
import { resolve } from 'node:path'
import {
  CertificateFileError,
  type CertificateFiles,
  certificateSource,
  readCertificates,
} from '@offstage/proto/certificate-files'
import type { TlsSource } from '@offstage/proto/certificates'
import { isLoopback, isLoopbackTarget } from '@offstage/proto/loopback'
import { z } from 'zod'
import { type ConfigFault, type ConfigOf, file, millis, variable } from '../config/mod.ts'
import type { ServerTls } from '../grpc/server-credentials.ts'
import type { Logger } from '../telemetry/mod.ts'

const off = z.literal('off', 'must be off, or not set')

/** What every process has of it. */
export const tlsFields = {
  tls: variable('OFFSTAGE_TLS', off.optional(), {
    description: 'off: plain text may leave this machine, as where a mesh encrypts',
  }),
  tlsReloadMs: variable('OFFSTAGE_TLS_RELOAD', millis.default(10_000), {
    description: 'how often certificates and keys are read again',
  }),
}

/** For the port a service listens on. */
export const serverTlsFields = {
  tlsServerCert: variable('OFFSTAGE_TLS_SERVER_CERT', file.optional(), {
    description: 'the certificate of its port, PEM, with its chain',
  }),
  tlsServerKey: variable('OFFSTAGE_TLS_SERVER_KEY', file.optional(), {
    description: 'the key of that certificate, PEM',
  }),
  tlsClientCa: variable('OFFSTAGE_TLS_CLIENT_CA', file.optional(), {
    description:
      'who signs the certificates clients must show (mutual TLS); absent: none is asked for',
  }),
}

/** For the calls a service makes. */
export const clientTlsFields = {
  tlsCa: variable(
    'OFFSTAGE_TLS_CA',
    z
      .string()
      .transform((path) => (path === 'system' ? path : resolve(path)))
      .optional(),
    { description: 'who signs the certificates of services it calls; system: public authorities' },
  ),
  tlsCert: variable('OFFSTAGE_TLS_CERT', file.optional(), {
    description: 'the certificate it shows to services it calls (mutual TLS)',
  }),
  tlsKey: variable('OFFSTAGE_TLS_KEY', file.optional(), {
    description: 'the key of that certificate, PEM',
  }),
}

type Tls = ConfigOf<typeof tlsFields>
type ServerTlsConfig = ConfigOf<typeof serverTlsFields>
type ClientTlsConfig = ConfigOf<typeof clientTlsFields>

/** An environment without these variables: for services that only this process speaks to. */
export function withoutTls(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = { ...tlsFields, ...serverTlsFields, ...clientTlsFields }
  const names = new Set(Object.values(ours).map(({ name }) => name))
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.has(name)))
}

/** The faults of the files of a port, and that of one others could reach without them. */
export function checkServerTls(
  config: Tls & ServerTlsConfig & { readonly host: string },
): ConfigFault[] {
  const { tls, host, tlsServerCert: cert, tlsServerKey: key, tlsClientCa: ca } = config
  if (cert === undefined && key === undefined) {
    if (ca !== undefined) {
      const problem = 'needs TLS at the port: set OFFSTAGE_TLS_SERVER_CERT and _KEY too'
      return [{ variable: serverTlsFields.tlsClientCa.name, problem }]
    }
    if (tls === 'off' || isLoopback(host)) return []
    return [{ variable: serverTlsFields.tlsServerCert.name, problem: plainPort(host) }]
  }
  if (tls === 'off') return [contradiction(serverTlsFields.tlsServerCert.name)]
  return fileFaults(serverFiles(config), {
    ca: serverTlsFields.tlsClientCa.name,
    cert: serverTlsFields.tlsServerCert.name,
    key: serverTlsFields.tlsServerKey.name,
  })
}

/** The faults of the files for calls, and that of calls which would leave this machine without them. */
export function checkClientTls(
  config: Tls & ClientTlsConfig,
  targets: Readonly<Record<string, string | undefined>>,
): ConfigFault[] {
  const files = clientFiles(config)
  if (files === undefined) {
    if (config.tls === 'off') return []
    const remote = Object.entries(targets).filter(
      ([, target]) => target !== undefined && !isLoopbackTarget(target),
    )
    return remote.map(([name, target]) => ({
      variable: clientTlsFields.tlsCa.name,
      problem:
        `must be set, since ${name} is ${target}: it names the file of who signs the certificates there, or is system. ` +
        'Where something else encrypts, as in a mesh, set OFFSTAGE_TLS=off',
    }))
  }
  if (config.tls === 'off') return [contradiction(clientTlsFields.tlsCa.name)]
  return fileFaults(files, {
    ca: clientTlsFields.tlsCa.name,
    cert: clientTlsFields.tlsCert.name,
    key: clientTlsFields.tlsKey.name,
  })
}

/** TLS of the port; undefined for plain text. */
export function serverTls(config: Tls & ServerTlsConfig, log: Logger): ServerTls | undefined {
  const files = serverFiles(config)
  if (files.cert === undefined) return undefined
  const source = certificateSource(files, reading(config, log, 'of the port'))
  return { ...source, clientCertificates: files.ca !== undefined }
}

/** TLS of calls to other services; undefined for plain text. */
export function clientTls(
  config: Tls & ClientTlsConfig,
  log: Logger,
): (TlsSource & { readonly clientCertificate: boolean }) | undefined {
  const files = clientFiles(config)
  if (files === undefined) return undefined
  const source = certificateSource(files, reading(config, log, 'for calls'))
  return { ...source, clientCertificate: files.cert !== undefined }
}

function reading({ tlsReloadMs }: Tls, log: Logger, which: string) {
  let told = ''
  const onError = (error: unknown) => {
    const problem = error instanceof Error ? error.message : String(error)
    // Read again every few seconds: what stays wrong is told once.
    if (problem !== told) {
      log.warn({ problem }, `certificates ${which} cannot be used; those from before stay in use`)
    }
    told = problem
  }
  const onChange = () => {
    told = ''
    log.info(`new certificates ${which} are in use`)
  }
  return { everyMs: tlsReloadMs, onError, onChange }
}

function serverFiles(config: ServerTlsConfig): CertificateFiles {
  const { tlsServerCert: cert, tlsServerKey: key, tlsClientCa: ca } = config
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

function clientFiles({ tlsCa: ca, tlsCert: cert, tlsKey: key }: ClientTlsConfig) {
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  return Object.keys(files).length === 0 ? undefined : files
}

function fileFaults(
  files: CertificateFiles,
  names: Readonly<Record<keyof CertificateFiles, string>>,
): ConfigFault[] {
  try {
    readCertificates(files)
    return []
  } catch (error) {
    if (!(error instanceof CertificateFileError)) throw error
    return [{ variable: names[error.file], problem: error.message }]
  }
}

function plainPort(host: string): string {
  return (
    `must be set, since the service listens on ${host}, where others could listen in: it and OFFSTAGE_TLS_SERVER_KEY name ` +
    'PEM files. Where something else encrypts, as in a mesh, set OFFSTAGE_TLS=off; for development listen on 127.0.0.1'
  )
}

function contradiction(name: string): ConfigFault {
  return {
    variable: tlsFields.tls.name,
    problem: `is off although ${name} or its like is set; remove one of the two`,
  }
}
