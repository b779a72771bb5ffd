import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  ConfigError,
  type ConfigFault,
  readConfig,
  renderConfig,
  unknownVariables,
  variable,
} from './mod.ts'
import { bytes, millis, natsUrl, port, postgresUrl } from './schemas.ts'

const fields = {
  port: variable('DEMO_PORT', port.default(7701), { description: 'where to listen' }),
  databaseUrl: variable('DEMO_DATABASE', postgresUrl, { description: 'the truth' }),
  natsUrl: variable('DEMO_NATS', natsUrl.optional(), { description: 'the hints' }),
  graceMs: variable('DEMO_GRACE', millis.default(5_000), { description: 'time to end' }),
  key: variable('DEMO_KEY', z.string().min(8, 'must have 8 characters').optional(), {
    description: 'signs tokens',
    secret: true,
  }),
}

const DATABASE = 'postgres://app:s3cret@db:5432/jobs'

function faultsOf(env: NodeJS.ProcessEnv): readonly ConfigFault[] {
  try {
    readConfig(fields, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

describe('readConfig', () => {
  test('parses what is set and takes the defaults for the rest', () => {
    const config = readConfig(fields, { DEMO_DATABASE: DATABASE, DEMO_GRACE: '2m' })
    const portNumber: number = config.port
    const nats: string | undefined = config.natsUrl
    expect([portNumber, nats]).toEqual([7701, undefined])
    expect(config).toEqual({ port: 7701, databaseUrl: DATABASE, graceMs: 120_000 })
  })

  test('counts an empty variable as absent', () => {
    const env = { DEMO_DATABASE: DATABASE, DEMO_PORT: '', DEMO_NATS: '', DEMO_KEY: '' }
    expect(readConfig(fields, env)).toMatchObject({ port: 7701, natsUrl: undefined })
    expect(faultsOf({ DEMO_DATABASE: '' })).toEqual([
      { variable: 'DEMO_DATABASE', problem: 'is required' },
    ])
  })

  test('tells all faults at once, each with its variable and the value found', () => {
    expect(faultsOf({ DEMO_PORT: '99999', DEMO_GRACE: '5' })).toEqual([
      { variable: 'DEMO_PORT', problem: 'must be a port from 0 to 65535 (it is "99999")' },
      { variable: 'DEMO_DATABASE', problem: 'is required' },
      {
        variable: 'DEMO_GRACE',
        problem: 'must be a time with its unit, such as 800ms, 5s, 2m, 1h or 30d (it is "5")',
      },
    ])
  })

  test('lists the faults in the message, a line for each', () => {
    expect(() => readConfig(fields, { DEMO_PORT: '-1' })).toThrow(
      'the configuration is not valid:\n' +
        '  DEMO_PORT: must be a port from 0 to 65535 (it is "-1")\n' +
        '  DEMO_DATABASE: is required',
    )
  })

  test('shows neither a secret nor a password in a fault', () => {
    const faults = faultsOf({ DEMO_DATABASE: 'mysql://app:s3cret@db/jobs', DEMO_KEY: 'short' })
    expect(faults.map(({ problem }) => problem)).toEqual([
      'must be a url like postgres://user@host:5432/database (it is "mysql://app:***@db/jobs")',
      'must have 8 characters',
    ])
  })

  test('gives a frozen object', () => {
    expect(Object.isFrozen(readConfig(fields, { DEMO_DATABASE: DATABASE }))).toBe(true)
  })
})

test('what is rendered hides secrets and the passwords within urls, and has its units', () => {
  const env = {
    DEMO_DATABASE: DATABASE,
    DEMO_NATS: 'nats://t0ken@a:4222,nats://u:s3cret@b:4222',
    DEMO_KEY: 's3cret-key',
  }
  expect(renderConfig(fields, readConfig(fields, env))).toEqual({
    DEMO_PORT: '7701',
    DEMO_DATABASE: 'postgres://app:***@db:5432/jobs',
    DEMO_NATS: 'nats://***@a:4222,nats://u:***@b:4222',
    DEMO_GRACE: '5s',
    DEMO_KEY: '(hidden)',
  })
  const unset = renderConfig(fields, readConfig(fields, { DEMO_DATABASE: DATABASE }))
  expect(unset).toMatchObject({ DEMO_KEY: '(not set)' })
})

test('a time or a size is rendered as it could have been written', () => {
  const about = { description: '' }
  const sized = {
    graceMs: variable('GRACE', millis, about),
    valueBytesMax: variable('VALUE', bytes, about),
  }
  const rendered = (env: NodeJS.ProcessEnv) => renderConfig(sized, readConfig(sized, env))
  for (const env of [
    { GRACE: '0ms', VALUE: '0B' },
    { GRACE: '250ms', VALUE: '100B' },
    { GRACE: '90s', VALUE: '64KiB' },
    { GRACE: '30d', VALUE: '16GiB' },
  ]) {
    expect(rendered(env)).toEqual(env)
  }
})

test('a variable that nothing reads is found', () => {
  const env = { OFFSTAGE_SCHEDULR_PORT: '1', OFFSTAGE_SCHEDULER_PORT: '1', PATH: '' }
  expect(unknownVariables(env)).toEqual(['OFFSTAGE_SCHEDULR_PORT'])
})
