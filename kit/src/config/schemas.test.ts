import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  address,
  bytes,
  directory,
  file,
  flag,
  host,
  millis,
  natsUrl,
  port,
  positiveInteger,
  postgresUrl,
} from './schemas.ts'

const schemas = {
  address,
  bytes,
  directory,
  file,
  flag,
  host,
  millis,
  natsUrl,
  port,
  positiveInteger,
  postgresUrl,
}

type Name = keyof typeof schemas

const accepted: readonly (readonly [Name, string, unknown])[] = [
  ['port', '0', 0],
  ['port', '65535', 65_535],
  ['host', 'localhost', 'localhost'],
  ['host', '0.0.0.0', '0.0.0.0'],
  ['host', '::1', '::1'],
  ['host', 'db-0.db.svc.cluster.local', 'db-0.db.svc.cluster.local'],
  ['address', '127.0.0.1:7701', '127.0.0.1:7701'],
  ['address', '[::1]:7701', '[::1]:7701'],
  ['address', 'scheduler.jobs.svc:1', 'scheduler.jobs.svc:1'],
  ['address', 'dns:///scheduler:7701', 'dns:///scheduler:7701'],
  ['millis', '800ms', 800],
  ['millis', '5s', 5_000],
  ['millis', '2m', 120_000],
  ['millis', '1.5h', 5_400_000],
  ['millis', '30d', 2_592_000_000],
  ['bytes', '512', 512],
  ['bytes', '64KiB', 65_536],
  ['bytes', '1 GiB', 1_073_741_824],
  ['flag', 'true', true],
  ['flag', '1', true],
  ['flag', 'FALSE', false],
  ['flag', '0', false],
  ['positiveInteger', '1', 1],
  ['directory', 'values', resolve('values')],
  ['directory', '/var/lib/offstage', '/var/lib/offstage'],
  [
    'postgresUrl',
    'postgresql://u@h:5432/d?sslmode=verify-full',
    'postgresql://u@h:5432/d?sslmode=verify-full',
  ],
  ['natsUrl', 'nats://a:4222,tls://b', 'nats://a:4222,tls://b'],
  ['file', 'eyJ.pem', resolve('eyJ.pem')],
  ['file', 'SUSAN', resolve('SUSAN')],
]

const refused: readonly (readonly [Name, string])[] = [
  ['port', '65536'],
  ['port', '-1'],
  ['port', '1e3'],
  ['port', '0x50'],
  ['host', 'a b'],
  ['host', 'h:80'],
  ['host', '300.1.1.1'],
  ['host', 'http://h'],
  ['host', '-a'],
  ['address', 'scheduler'],
  ['address', ':7701'],
  ['address', 'scheduler:0'],
  ['address', 'scheduler:http'],
  ['address', 'http://127.0.0.1:7701'],
  ['address', '::1:7701'],
  ['address', 'token@scheduler:7701'],
  ['address', 'dns:token@scheduler:7701'],
  ['millis', '5'],
  ['millis', '-5s'],
  ['millis', '5 weeks'],
  ['bytes', '64KB'],
  ['bytes', '-1'],
  ['bytes', '99999999TiB'],
  ['flag', 'yes'],
  ['flag', 'constructor'],
  ['positiveInteger', '0'],
  ['positiveInteger', '1.5'],
  ['positiveInteger', '99999999999999999999'],
  ['directory', ' '],
  ['file', '-----BEGIN PRIVATE KEY-----\nabc'],
  ['file', 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln'],
  ['file', `SU${'A'.repeat(56)}`],
  ['postgresUrl', 'mysql://h/d'],
  ['postgresUrl', 'postgres://h/d?sslmode=require'],
  ['postgresUrl', 'db:5432'],
  ['natsUrl', 'http://a'],
  ['natsUrl', 'nats://a,'],
]

describe('a value is accepted', () => {
  test.for(accepted)('as %s: %j', ([name, text, value]) => {
    expect(schemas[name].parse(text)).toBe(value)
  })
})

describe('a value is refused', () => {
  test.for(refused)('as %s: %j', ([name, text]) => {
    const { error } = schemas[name].safeParse(text)
    expect(error?.issues.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^must be /),
    ])
  })
})
