/** What administrators do with values and scopes of others is on record (row P7); what owners and services do is not. */
import { developmentAuthenticate, type Role } from '@offstage/kit/auth'
import { ListActsRequest, type ListActsResponse } from '@offstage/proto/storage'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createActStore } from './store/act-store.ts'
import { refusalOf } from './testing/storage-client.ts'
import { type Ground, openGround, type Started } from './testing/storage-fixture.ts'

let ground: Ground
let storage: Started

/** Newest first. */
async function actsOf(user = 'root:admin', request: Partial<ListActsRequest> = {}) {
  const { raw, metadata } = storage.client(user)
  return await new Promise<ListActsResponse>((resolve, reject) => {
    raw.listActs(ListActsRequest.fromPartial(request), metadata, (error, answer) =>
      error ? reject(error) : resolve(answer),
    )
  })
}

beforeAll(async () => {
  ground = await openGround()
  storage = await ground.start(
    {},
    {
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

test('an administrator who reads, puts, takes, deletes or closes what is not theirs is recorded, and nobody else', async () => {
  const ann = storage.client('ann')
  const { scope } = await ann.openScope({})
  const bytes = Buffer.from('secret')
  const [first, second] = [await ann.put(bytes, { scope }), await ann.put(bytes, { scope })]
  await ann.get(first.address)
  await storage.client('sam:service').get(first.address)
  await refusalOf(storage.client('bob').get(first.address))
  await refusalOf(storage.client('olga:operator').get(first.address))
  expect((await actsOf()).acts).toEqual([])

  const root = storage.client('root:admin')
  const own = await root.put(bytes)
  await root.get(own.address)
  expect((await actsOf()).acts).toEqual([])
  await root.get(first.address)
  await root.put(bytes, { address: first.address })
  await root.readAndDelete(first.address)
  await root.delete(second.address)
  await root.closeScope(scope)
  const by = { user: 'root', roles: ['admin'], owner: 'ann', namespace: 'default' }
  const { acts } = await actsOf()
  expect(acts.reverse()).toMatchObject([
    { ...by, call: 'StorageService.GetValue', target: first.address },
    { ...by, call: 'StorageService.PutValue', target: first.address },
    { ...by, call: 'StorageService.ReadAndDeleteValue', target: first.address },
    { ...by, call: 'StorageService.DeleteValue', target: second.address },
    { ...by, call: 'StorageService.CloseScope', target: scope },
  ])
  expect(acts[0]?.peer).toMatch(/:\d+$/)
  expect(JSON.stringify(acts)).not.toContain('secret')
})

test('an administrator who begins or goes on with an upload of somebody else is recorded', async () => {
  const ann = storage.client('ann')
  const uploadId = await ann.startUpload({})
  const before = (await actsOf()).acts.length
  const root = storage.client('root:admin')
  await root.put(Buffer.from('other bytes'), { uploadId })
  const { acts } = await actsOf()
  expect(acts).toHaveLength(before + 1)
  expect(acts[0]).toMatchObject({ call: 'StorageService.PutValue', target: uploadId, owner: 'ann' })
  // It is complete: nothing is put any more.
  await root.put(Buffer.from('other bytes'), { uploadId })
  expect((await actsOf()).acts).toHaveLength(before + 1)
  await root.startUpload({ owner: 'ann' })
  expect((await actsOf()).acts[0]).toMatchObject({
    call: 'StorageService.StartUpload',
    owner: 'ann',
  })
})

test('acts are listed by user and time, page by page, to administrators alone', async () => {
  const { acts } = await actsOf()
  const first = await actsOf('root:admin', { pageSize: 2 })
  expect(first.acts).toEqual(acts.slice(0, 2))
  const rest = await actsOf('root:admin', { pageSize: 1_000, pageToken: first.nextPageToken })
  expect(rest).toEqual({ acts: acts.slice(2), nextPageToken: '' })
  const other = { user: 'ann', pageToken: first.nextPageToken }
  await expect(actsOf('root:admin', other)).rejects.toThrow('page_token')
  expect((await actsOf('root:admin', { user: 'ann' })).acts).toEqual([])
  expect((await actsOf('root:admin', { timeBefore: acts.at(-1)?.actTime })).acts).toEqual([])
  expect((await actsOf('root:admin', { timeFrom: acts[0]?.actTime })).acts[0]).toEqual(acts[0])
  for (const user of ['ann', 'olga:operator', 'sam:service']) {
    await expect(actsOf(user)).rejects.toThrow('needs one of the roles admin')
  }
})

test('what cannot be recorded is not done, and what is old is forgotten', async () => {
  const value = await storage.client('ann').put(Buffer.from('x'))
  const root = storage.client('root:admin')
  await ground.run('ALTER TABLE offstage_storage.acts RENAME TO away')
  await refusalOf(root.get(value.address))
  await refusalOf(root.delete(value.address))
  await ground.run('ALTER TABLE offstage_storage.away RENAME TO acts')
  expect((await storage.client('ann').get(value.address)).bytes.toString()).toBe('x')
  await ground.run("UPDATE offstage_storage.acts SET act_time = now() - interval '91 days'")
  const days = 24 * 3_600_000
  expect(await createActStore(ground.database).forget(90 * days, 2)).toBe(2)
  expect(await createActStore(ground.database).forget(90 * days, 1_000)).toBeGreaterThan(0)
  expect((await actsOf()).acts).toEqual([])
})
