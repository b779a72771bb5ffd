/** Whoever comes with the token for what a job leaves behind deletes that one value, and does nothing else as its owner. */
import { type Actor, developmentAuthenticate } from '@offstage/kit/auth'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { refusalOf } from './testing/storage-client.ts'
import { type Ground, openGround, type Started } from './testing/storage-fixture.ts'

/** The user `ann:val_…` discards that value of ann's, `ann@elsewhere:val_…` one of another namespace. */
const authenticate = (metadata: Parameters<typeof developmentAuthenticate>[0]): Actor => {
  const { user } = developmentAuthenticate(metadata)
  const [who = '', discards] = user.split(':')
  const [name = '', namespace = 'default'] = who.split('@')
  const actor = { user: name, namespaces: [namespace] }
  if (discards === undefined) return { ...actor, roles: ['user'] }
  return { ...actor, roles: ['discarder'], discards }
}

let ground: Ground
let service: Started
beforeAll(async () => {
  ground = await openGround()
  service = await ground.start({}, { authenticate })
})
afterAll(async () => {
  await service[Symbol.asyncDispose]()
  await ground[Symbol.asyncDispose]()
})

const put = async (user: string) =>
  (await service.client(user).put(Buffer.from(`of ${user}`))).address

test('deletes the value the token names, and no other of the same owner', async () => {
  const [one, other] = [await put('ann'), await put('ann')]
  const discarder = service.client(`ann:${one}`)
  expect(await discarder.delete(other)).toBe(false)
  expect(await discarder.delete(one)).toBe(true)
  expect((await service.client('ann').list()).values.map(({ address }) => address)).toEqual([other])
})

test('deletes nothing of others, and nothing of another namespace', async () => {
  const address = await put('bob')
  expect(await service.client(`ann:${address}`).delete(address)).toBe(false)
  expect(await service.client(`bob@elsewhere:${address}`).delete(address)).toBe(false)
  expect(await service.client('bob').delete(address)).toBe(true)
})

test('reads, lists, puts and opens nothing', async () => {
  const address = await put('ann')
  const discarder = service.client(`ann:${address}`)
  const calls = [
    discarder.get(address),
    discarder.readAndDelete(address),
    discarder.describe(address),
    discarder.list(),
    discarder.put(Buffer.from('x')),
    discarder.reserve(),
    discarder.startUpload(),
    discarder.openScope(),
  ]
  for (const call of calls)
    expect(await refusalOf(call)).toMatchObject({ reason: 'PERMISSION_DENIED' })
})
