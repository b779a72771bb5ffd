import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Metadata } from '@grpc/grpc-js'
import { startTestIssuer, type TestIssuer, until } from '@offstage/testkit'
import pino from 'pino'
import { expect, test } from 'vitest'
import { openIdentity } from './identity.ts'

/** An identity file that is read again every few milliseconds, and the lines that are logged. */
async function setup(mount?: (issuer: TestIssuer) => Promise<string>) {
  const issuer = await startTestIssuer()
  const lines: string[] = []
  const log = pino({}, { write: (line) => void lines.push(line) })
  const path = await (mount?.(issuer) ?? issuer.identityFile())
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

/** As Kubernetes mounts files: links into a folder that is replaced whole, by a link that is. */
async function openMount() {
  const root = await mkdtemp(join(tmpdir(), 'offstage-mount-'))
  let version = 0
  return {
    path: (file: string) => join(root, file),
    async replace(files: Readonly<Record<string, unknown>>) {
      const data = `..v${++version}`
      await mkdir(join(root, data))
      for (const [file, content] of Object.entries(files)) {
        await writeFile(join(root, data, file), JSON.stringify(content))
        if (version === 1) await symlink(join('..data', file), join(root, file))
      }
      await symlink(data, join(root, '..next'))
      await rename(join(root, '..next'), join(root, '..data'))
      if (version > 1) await rm(join(root, `..v${version - 1}`), { recursive: true })
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
}

test('identity file and keys are followed where both are replaced at once, as Kubernetes does it', async () => {
  await using mount = await openMount()
  const filesOf = ({ entry, keys }: TestIssuer, roles: readonly string[]) => ({
    'identity.json': {
      issuers: [{ ...entry, jwks: 'keys.json', grants: [{ subject: 'ann', roles }] }],
    },
    'keys.json': { keys },
  })
  await using it = await setup(async (issuer) => {
    await mount.replace(filesOf(issuer, ['reader']))
    return mount.path('identity.json')
  })
  expect(await it.rolesOf(await it.issuer.sign({ user: 'ann' }))).toEqual(['reader'])
  for (const roles of [['operator'], ['user'], ['service']]) {
    await it.issuer.rotate(0)
    const before = it.logged('has changed and is in use')
    await mount.replace(filesOf(it.issuer, roles))
    await until(() => it.logged('has changed and is in use') > before)
    expect(await it.rolesOf(await it.issuer.sign({ user: 'ann' }))).toEqual(roles)
  }
  expect(it.logged('cannot be used')).toBe(0)
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
