import { createAuthority, createPemFolder } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { type ConfigFault, readConfig } from '../config/mod.ts'
import { createLogger } from '../telemetry/mod.ts'
import {
  checkClientTls,
  checkDatabaseTls,
  checkServerTls,
  clientTls,
  clientTlsFields,
  serverTls,
  serverTlsFields,
  tlsFields,
} from './mod.ts'

const fields = { ...tlsFields, ...serverTlsFields, ...clientTlsFields }
const log = createLogger({ name: 'tls', level: 'silent' })

function faultsOfPort(host: string, env: Record<string, string>): readonly ConfigFault[] {
  return checkServerTls({ ...readConfig(fields, env), host })
}

function faultsOfCalls(scheduler: string, env: Record<string, string>): readonly ConfigFault[] {
  return checkClientTls(readConfig(fields, env), { OFFSTAGE_SCHEDULER: scheduler })
}

test('a port that others can reach needs a certificate, or word that something else encrypts', () => {
  expect(faultsOfPort('127.0.0.1', {})).toEqual([])
  expect(faultsOfPort('10.0.0.1', { OFFSTAGE_TLS: 'off' })).toEqual([])
  const [fault, ...more] = faultsOfPort('10.0.0.1', {})
  expect(more).toEqual([])
  expect(fault?.variable).toBe('OFFSTAGE_TLS_SERVER_CERT')
  expect(fault?.problem).toMatch(/10\.0\.0\.1.*OFFSTAGE_TLS_SERVER_KEY.*OFFSTAGE_TLS=off/)
})

test('a call that leaves this machine needs an authority, or word that something else encrypts', () => {
  for (const target of [
    '127.0.0.1:7701',
    'localhost:1',
    '[::1]:7701',
    'ipv4:127.0.0.1:1,127.0.0.2:2',
    'unix:/run/x',
  ]) {
    expect(faultsOfCalls(target, {}), target).toEqual([])
  }
  for (const target of [
    'scheduler:7701',
    'dns:///scheduler:7701',
    'ipv4:127.0.0.1:1,10.0.0.2:2',
    '[fd00::1]:7701',
  ]) {
    expect(faultsOfCalls(target, { OFFSTAGE_TLS: 'off' }), target).toEqual([])
    const [fault] = faultsOfCalls(target, {})
    expect(fault?.variable, target).toBe('OFFSTAGE_TLS_CA')
    expect(fault?.problem).toContain(`OFFSTAGE_SCHEDULER is ${target}`)
  }
})

test('files that cannot be used are faults of their variables', async () => {
  await using folder = await createPemFolder()
  const authority = await createAuthority()
  const own = await authority.issue()
  const { ca, cert, key } = await folder.write({ ca: authority.cert, ...own })
  const names = (faults: readonly ConfigFault[]) => faults.map(({ variable }) => variable)
  const port = {
    OFFSTAGE_TLS_SERVER_CERT: cert,
    OFFSTAGE_TLS_SERVER_KEY: key,
    OFFSTAGE_TLS_CLIENT_CA: ca,
  }
  const calls = { OFFSTAGE_TLS_CA: ca, OFFSTAGE_TLS_CERT: cert, OFFSTAGE_TLS_KEY: key }
  expect(faultsOfPort('10.0.0.1', port)).toEqual([])
  expect(faultsOfCalls('scheduler:7701', calls)).toEqual([])
  for (const variable of Object.keys(port)) {
    expect(names(faultsOfPort('::', { ...port, [variable]: '/none' }))).toEqual([variable])
  }
  for (const variable of Object.keys(calls)) {
    expect(names(faultsOfCalls('x:1', { ...calls, [variable]: '/none' }))).toEqual([variable])
  }
  expect(names(faultsOfPort('::', { OFFSTAGE_TLS_SERVER_CERT: cert }))).toEqual([
    'OFFSTAGE_TLS_SERVER_KEY',
  ])
  expect(names(faultsOfPort('::1', { OFFSTAGE_TLS_CLIENT_CA: ca }))).toEqual([
    'OFFSTAGE_TLS_CLIENT_CA',
  ])
  expect(names(faultsOfPort('::', { ...port, OFFSTAGE_TLS: 'off' }))).toEqual(['OFFSTAGE_TLS'])
  expect(names(faultsOfCalls('x:1', { ...calls, OFFSTAGE_TLS: 'off' }))).toEqual(['OFFSTAGE_TLS'])
})

test('clients must show a certificate exactly where their authority is named', async () => {
  await using folder = await createPemFolder()
  const authority = await createAuthority()
  const { ca, cert, key } = await folder.write({ ca: authority.cert, ...(await authority.issue()) })
  const port = { OFFSTAGE_TLS_SERVER_CERT: cert, OFFSTAGE_TLS_SERVER_KEY: key }
  expect(serverTls(readConfig(fields, {}), log)).toBeUndefined()
  expect(serverTls(readConfig(fields, port), log)?.clientCertificates).toBe(false)
  const mutual = { ...port, OFFSTAGE_TLS_CLIENT_CA: ca }
  expect(serverTls(readConfig(fields, mutual), log)?.clientCertificates).toBe(true)
  expect(clientTls(readConfig(fields, {}), log)).toBeUndefined()
  expect(clientTls(readConfig(fields, { OFFSTAGE_TLS_CA: 'system' }), log)?.clientCertificate).toBe(
    false,
  )
  const own = { OFFSTAGE_TLS_CERT: cert, OFFSTAGE_TLS_KEY: key }
  expect(clientTls(readConfig(fields, own), log)?.clientCertificate).toBe(true)
})

test('a database elsewhere is not spoken to in plain text unless somebody says so', () => {
  const faults = (databaseUrl: string, tls?: 'off') =>
    checkDatabaseTls({ tls, databaseUrl }, 'OFFSTAGE_SCHEDULER_DATABASE_URL')
  for (const url of [
    '127.0.0.1/d',
    '[::1]:5432/d',
    'db/d?sslmode=verify-full',
    'db/d?sslmode=disable',
  ]) {
    expect(faults(`postgres://u:p@${url}`), url).toEqual([])
  }
  expect(faults('postgres://u:p@db/d', 'off')).toEqual([])
  const [fault] = faults('postgres://u:sesame@db:1/d')
  expect(fault?.variable).toBe('OFFSTAGE_SCHEDULER_DATABASE_URL')
  expect(fault?.problem).toMatch(/^would speak to db:1 in plain text; add \?sslmode=verify-full/)
  expect(fault?.problem).not.toContain('sesame')
})
