import { writeFile } from 'node:fs/promises'
import { Metadata } from '@grpc/grpc-js'
import { startTestIssuer, until } from '@offstage/testkit'
import pino from 'pino'
import { expect, test } from 'vitest'
import { openIdentity } from './identity.ts'

/** An identity file that is read again every few milliseconds, and the lines that are logged. */
async function setup() {
  const issuer = await startTestIssuer()
  const lines: string[] = []
  const log = pino({}, { write: (line) => void lines.push(line) })
  const path = await issuer.identityFile()
  const identity = openIdentity({ identity: path }, { log, everyMs: 5 })
  return {
    issuer,
    path,
    logged: (text: string) => lines.filter((line) => line.includes(text)).length,
    rolesOf: async (token: string) => {
      const metadata = new Metadata()
      metadata.set('authorization', `Bearer ${token}`)
      return (await identity.authenticate?.(metadata, 'peer'))?.roles
    },
    async [Symbol.asyncDispose]() {
      identity[Symbol.dispose]()
      await issuer[Symbol.asyncDispose]()
    },
  }
}

test('what a changed file says holds for the next call, also for tokens that were verified before', async () => {
  await using it = await setup()
  const token = await it.issuer.sign({ user: 'ann' })
  expect(await it.rolesOf(token)).toEqual(['user'])
  const grants = [{ subject: 'ann', roles: ['operator'] }]
  await writeFile(it.path, JSON.stringify({ issuers: [{ ...it.issuer.entry, grants }] }))
  await until(() => it.logged('has changed and is in use') === 1)
  expect(await it.rolesOf(token)).toEqual(['operator'])
})

test('a file that cannot be used any more changes nothing, and is told of once', async () => {
  await using it = await setup()
  await writeFile(it.path, '{"issuers": [')
  await until(() => it.logged('what it said before goes on') === 1)
  expect(await it.rolesOf(await it.issuer.sign({ user: 'ann' }))).toEqual(['user'])
  await writeFile(it.path, '{"issuers": []}')
  await until(() => it.logged('must name at least one issuer') === 1)
  expect(it.logged('what it said before goes on')).toBe(2)
})

test('without a file there is nobody to tell apart', () => {
  const log = pino({ level: 'silent' })
  expect(openIdentity({ identity: 'dev' }, { log }).authenticate).toBeUndefined()
})
