import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import { CertificateFileError, readCertificates } from '@offstage/proto/certificate-files'
import { isLoopback } from '@offstage/proto/loopback'
import { z } from 'zod'
import {
  ConfigError,
  type ConfigFault,
  type ConfigOf,
  faultText,
  file,
  variable,
} from '../config/mod.ts'
import type { Bus } from './bus.ts'
import { connectNats } from './nats-bus.ts'
import { isRefusal } from './nats-connection.ts'
import { type NatsFiles, parseNatsUrl } from './nats-security.ts'

const URL_VARIABLE = 'OFFSTAGE_NATS_URL'

/** How a service makes sure of NATS, and who it is there; the url is its own affair. */
export const natsFields = {
  natsCa: variable(
    'OFFSTAGE_NATS_CA',
    z
      .string()
      .transform((path) => (path === 'system' ? path : resolve(path)))
      .optional(),
    { description: 'who signs the certificate of NATS; system: public authorities' },
  ),
  natsCert: variable('OFFSTAGE_NATS_CERT', file.optional(), {
    description: 'the certificate to show to NATS',
  }),
  natsKey: variable('OFFSTAGE_NATS_KEY', file.optional(), {
    description: 'the key of that certificate',
  }),
  natsPasswordFile: variable('OFFSTAGE_NATS_PASSWORD_FILE', file.optional(), {
    description: 'file with the password of the user in the url, or, where it names none, a token',
  }),
  natsNkeyFile: variable('OFFSTAGE_NATS_NKEY_FILE', file.optional(), {
    description: 'file with an nkey seed to log in with',
  }),
  natsCredsFile: variable('OFFSTAGE_NATS_CREDS_FILE', file.optional(), {
    description: 'file with a JWT and its seed to log in with',
  }),
}

export type NatsConfig = ConfigOf<typeof natsFields> & { readonly natsUrl: string | undefined }

/** The faults of the files, and that of a server that would be spoken to in plain text across the network. */
export function checkNats(config: NatsConfig & { readonly tls: 'off' | undefined }): ConfigFault[] {
  if (config.natsUrl === undefined) return []
  return [...certificateFaults(config), ...loginFaults(config), ...plainTextFaults(config)]
}

/**
 * Connects as configured. A server that is away is no fault; one that refuses the login, or is not the one it should be, is a
 * ConfigError.
 */
export async function openConfiguredNats(
  config: NatsConfig & { readonly natsUrl: string },
  options: { readonly name: string; onError(error: unknown): void },
): Promise<Bus> {
  try {
    return await connectNats({ ...options, url: config.natsUrl, files: filesOf(config) })
  } catch (cause) {
    if (!isRefusal(cause)) throw cause
    throw new ConfigError([
      { variable: URL_VARIABLE, problem: `cannot use NATS: ${faultText(cause)}` },
    ])
  }
}

function filesOf(config: NatsConfig): NatsFiles {
  return {
    ca: config.natsCa,
    cert: config.natsCert,
    key: config.natsKey,
    password: config.natsPasswordFile,
    nkey: config.natsNkeyFile,
    creds: config.natsCredsFile,
  }
}

const CERTIFICATE_VARIABLES = {
  ca: natsFields.natsCa.name,
  cert: natsFields.natsCert.name,
  key: natsFields.natsKey.name,
}

function certificateFaults({
  natsCa: ca,
  natsCert: cert,
  natsKey: key,
}: NatsConfig): ConfigFault[] {
  try {
    readCertificates({ ca, cert, key })
    return []
  } catch (error) {
    if (!(error instanceof CertificateFileError)) throw error
    return [{ variable: CERTIFICATE_VARIABLES[error.file], problem: error.message }]
  }
}

function loginFaults(config: NatsConfig): ConfigFault[] {
  const logins = [natsFields.natsPasswordFile, natsFields.natsNkeyFile, natsFields.natsCredsFile]
  const paths = [config.natsPasswordFile, config.natsNkeyFile, config.natsCredsFile]
  const named = logins.flatMap(({ name }, at) =>
    paths[at] === undefined ? [] : [{ name, path: paths[at] }],
  )
  const [first, second] = named
  if (first !== undefined && second !== undefined) {
    return [
      { variable: second.name, problem: `is one login too many; ${first.name} is set as well` },
    ]
  }
  return named.flatMap(({ name, path }) => {
    try {
      accessSync(path, constants.R_OK)
      return []
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return [{ variable: name, problem: `the file ${path} cannot be read (${code})` }]
    }
  })
}

function plainTextFaults(config: NatsConfig & { readonly tls: 'off' | undefined }): ConfigFault[] {
  const { natsUrl = '', natsCa, natsCert } = config
  const { servers, tls } = parseNatsUrl(natsUrl)
  if (tls || natsCa !== undefined || natsCert !== undefined || config.tls === 'off') return []
  const remote = servers.find(
    (server) => !isLoopback(server.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')),
  )
  if (remote === undefined) return []
  const problem =
    `would speak to ${remote} in plain text; set ${natsFields.natsCa.name} to the file of who signs its certificate, or to ` +
    'system. Where something else encrypts, as in a mesh, set OFFSTAGE_TLS=off'
  return [{ variable: URL_VARIABLE, problem }]
}
