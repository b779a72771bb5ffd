import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../../config/mod.ts'
import { checkIdentity, identityFields } from './settings.ts'

const WHERE = 'OFFSTAGE_SCHEDULER_HOST'

async function faultsOf(content: unknown): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-identity-'))
  const path = join(folder, 'identity.json')
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  const faults = checkIdentity({ identity: path, host: '0.0.0.0' }, WHERE)
  await rm(folder, { recursive: true })
  expect(faults.every(({ variable }) => variable === 'OFFSTAGE_IDENTITY')).toBe(true)
  return faults.map(({ problem }) => problem.replace(path, 'FILE'))
}

const good = { issuer: 'https://a', audience: 'offstage', jwks: 'https://a/jwks' }

test('without a file a service listens on loopback addresses alone, and else says what to set', () => {
  const { identity } = readConfig(identityFields, {})
  expect(checkIdentity({ identity, host: '127.0.0.1' }, WHERE)).toEqual([])
  const [fault] = checkIdentity({ identity, host: '0.0.0.0' }, WHERE)
  expect(fault?.variable).toBe('OFFSTAGE_IDENTITY')
  expect(fault?.problem).toMatch(/OFFSTAGE_SCHEDULER_HOST is 0\.0\.0\.0.*names the JSON file/)
})

test('a file that says enough is taken', async () => {
  expect(await faultsOf({ issuers: [good] })).toEqual([])
})

test('every fault of the file is told at once, with its place', async () => {
  const issuers = [
    { ...good, jwks: 'http://a/jwks', algorithms: ['HS256'], grants: [{ subject: '*', role: [] }] },
    { issuer: 'offstage', audience: '', jwks: 'keys.pem', jwksCa: 'ca.pem', clockTolerance: '1h' },
    good,
    good,
  ]
  const faults = await faultsOf({ issuers })
  expect(faults).toEqual([
    expect.stringMatching(/^FILE: issuers\[0\]\.jwks: must be an https url/),
    expect.stringMatching(/^FILE: issuers\[0\]\.algorithms\[0\]: must be one of RS256/),
    expect.stringMatching(/^FILE: issuers\[0\]\.grants\[0\]: Unrecognized key: "role"/),
    expect.stringMatching(/^FILE: issuers\[1\]\.issuer: is the name Offstage itself signs with/),
    expect.stringMatching(/^FILE: issuers\[1\]\.audience: must not be empty/),
    expect.stringMatching(/^FILE: issuers\[1\]\.clockTolerance: must be at most 10m/),
    'FILE: issuers[1].jwksCa: is for a jwks that is a url',
  ])
})

test('an issuer is there once, and what is for urls goes with urls', async () => {
  const file = { ...good, issuer: 'https://b', jwks: 'keys.pem', jwksCa: 'ca.pem' }
  expect(await faultsOf({ issuers: [good, good] })).toEqual([
    expect.stringMatching(/^FILE: issuers\[1\]\.issuer: is there twice/),
  ])
  expect(await faultsOf({ issuers: [file] })).toEqual([
    'FILE: issuers[0].jwksCa: is for a jwks that is a url',
  ])
})

test('a file that is none, or is no JSON, is told', async () => {
  expect(await faultsOf('{')).toEqual([expect.stringMatching(/^FILE is not JSON at position 1/)])
  expect(checkIdentity({ identity: '/nowhere', host: '127.0.0.1' }, WHERE)).toEqual([
    { variable: 'OFFSTAGE_IDENTITY', problem: 'the file /nowhere does not exist' },
  ])
})
