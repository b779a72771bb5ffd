/** What administrators do with values and scopes of others is noted (row P7); what owners and services do is not. */
import { developmentAuthenticate, type Role } from '@offstage/kit/auth'
import { createLogger } from '@offstage/kit/telemetry'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { refusalOf } from './storage-client.ts'
import { type Ground, openGround, type Started } from './storage-fixture.ts'

let ground: Ground
let storage: Started
const acts: Record<string, unknown>[] = []

beforeAll(async () => {
  ground = await openGround()
  const log = createLogger({ name: 'storage', level: 'silent' })
  log.info = (told: unknown) => {
    if (typeof told === 'object' && told !== null && 'act' in told)
      acts.push({ ...(told.act as object) })
  }
  storage = await ground.start(
    {},
    {
      log,
      // `ann:service` is ann in that role, others are plain users.
      authenticate: (metadata) => {
        const actor = developmentAuthenticate(metadata)
        const [user = '', role = 'user'] = actor.user.split(':')
        return { ...actor, user, roles: [role as Role] }
      },
    },
  )
})
afterAll(async () => {
  await storage[Symbol.asyncDispose]()
  await ground[Symbol.asyncDispose]()
})

test('an administrator who reads, puts, takes, deletes or closes what is not theirs is noted, and nobody else', async () => {
  const ann = storage.client('ann')
  const { scope } = await ann.openScope({})
  const bytes = Buffer.from('secret')
  const [first, second] = [await ann.put(bytes, { scope }), await ann.put(bytes, { scope })]
  await ann.get(first.address)
  await storage.client('sam:service').get(first.address)
  await refusalOf(storage.client('bob').get(first.address))
  await refusalOf(storage.client('olga:operator').get(first.address))
  expect(acts).toEqual([])

  const root = storage.client('root:admin')
  const own = await root.put(bytes)
  await root.get(own.address)
  expect(acts).toEqual([])
  await root.get(first.address)
  await root.put(bytes, { address: first.address })
  await root.readAndDelete(first.address)
  await root.delete(second.address)
  await root.closeScope(scope)
  const by = { user: 'root', roles: ['admin'], owner: 'ann', namespace: 'default' }
  expect(acts).toMatchObject([
    { ...by, call: 'StorageService.GetValue', target: first.address },
    { ...by, call: 'StorageService.PutValue', target: first.address },
    { ...by, call: 'StorageService.ReadAndDeleteValue', target: first.address },
    { ...by, call: 'StorageService.DeleteValue', target: second.address },
    { ...by, call: 'StorageService.CloseScope', target: scope },
  ])
  expect(acts[0]?.peer).toMatch(/:\d+$/)
  expect(JSON.stringify(acts)).not.toContain('secret')
})
