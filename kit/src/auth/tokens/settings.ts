/** What the environment says of identity: nothing (development, on loopback addresses alone) or a file. */
import { resolve } from 'node:path'
import { isLoopback } from '@offstage/proto/loopback'
import { z } from 'zod'
import { ConfigError, type ConfigFault } from '../../config/config-error.ts'
import { type ConfigOf, variable } from '../../config/variable.ts'
import { IdentityFileError, readIdentity } from './read-identity.ts'

const DEV = 'dev'

export const identityFields = {
  identity: variable(
    'OFFSTAGE_IDENTITY',
    z
      .string()
      .transform((text) => (text === DEV ? DEV : resolve(text)))
      .default(DEV),
    {
      description:
        'dev: everybody is an administrator, on loopback addresses alone; else the JSON file that says whose tokens are taken',
    },
  ),
}

export type IdentitySetting = ConfigOf<typeof identityFields>

/** The faults of the file, and that of an address others can reach without one. `hostVariable` names what sets the address. */
export function checkIdentity(
  { identity, host }: IdentitySetting & { readonly host: string },
  hostVariable: string,
): ConfigFault[] {
  const { name } = identityFields.identity
  if (identity === DEV) {
    if (isLoopback(host)) return []
    const problem =
      `must be set, since ${hostVariable} is ${host}, where anybody could act as an administrator: it names the JSON file that ` +
      'says whose tokens are taken (docs/security.md); for development listen on 127.0.0.1'
    return [{ variable: name, problem }]
  }
  try {
    readIdentity(identity)
    return []
  } catch (error) {
    if (!(error instanceof IdentityFileError)) throw error
    return error.problems.map((problem) => ({ variable: name, problem }))
  }
}

/** The file of a setting; undefined in development mode. */
export function identityFileOf({ identity }: IdentitySetting): string | undefined {
  return identity === DEV ? undefined : identity
}

/** Reads the file at a start. */
export function readIdentityAtStart(path: string) {
  try {
    return readIdentity(path)
  } catch (error) {
    if (!(error instanceof IdentityFileError)) throw error
    const variable = identityFields.identity.name
    throw new ConfigError(error.problems.map((problem) => ({ variable, problem })))
  }
}
