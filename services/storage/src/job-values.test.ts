/** Values that are the own of jobs live as long as a job names them, and no longer (rows J3, S6). */
import { durationFrom } from '@offstage/proto/durations'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { DiscardedValue, JobValues } from './ports/job-values.ts'
import { refusalOf } from './testing/storage-client.ts'
import { type Ground, openGround, type Started } from './testing/storage-fixture.ts'

/** A scripted scheduler. */
const jobs: JobValues & { named: Set<string>; left: DiscardedValue[]; away: boolean } = {
  named: new Set(),
  left: [],
  away: false,
  async needed(addresses) {
    if (jobs.away) throw new Error('away')
    return new Set(addresses.filter((address) => jobs.named.has(address)))
  },
  async discarded(done, limit) {
    if (jobs.away) throw new Error('away')
    jobs.left = jobs.left.filter(({ id }) => !done.includes(id))
    return jobs.left.slice(0, limit)
  },
}

let ground: Ground
let service: Started
beforeAll(async () => {
  ground = await openGround()
  service = await ground.start({ sweepEveryMs: 20 }, { jobs })
})
afterAll(async () => {
  await service[Symbol.asyncDispose]()
  await ground[Symbol.asyncDispose]()
})
beforeEach(() => Object.assign(jobs, { named: new Set(), left: [], away: false }))

const ann = () => service.client('ann')
const put = async (bytes = 100) =>
  (await ann().put(Buffer.alloc(bytes, 7), { forJob: true })).address
const there = async (address: string) =>
  (await ground.run('SELECT FROM offstage_storage.temp_values WHERE address = $1', [address]))
    .length === 1
const discard = (address: string, of: Partial<DiscardedValue> = {}) => {
  const id = BigInt(jobs.left.length + 1)
  jobs.left.push({ id, address, namespace: 'default', owner: 'ann', ...of })
}
/** As if the time had come to ask for all of them, while a service looks. */
async function look(): Promise<void> {
  await ground.run(
    "UPDATE offstage_storage.temp_values SET look_time = now() - interval '1 s' WHERE look_time IS NOT NULL",
  )
  await using second = await ground.start({}, { jobs })
  const due = 'SELECT FROM offstage_storage.temp_values WHERE look_time <= now()'
  await until(async () => jobs.away || (await ground.run(due)).length === 0)
  expect(second).toBeDefined()
}

test('it has no end of its own, and is read and described as any other', async () => {
  const address = await put()
  const { expireTime, scope, owner } = await ann().describe(address)
  expect({ expireTime, scope, owner }).toEqual({ expireTime: undefined, scope: '', owner: 'ann' })
  expect((await ann().get(address)).bytes).toHaveLength(100)
})

test('it goes, and its file with it, when its job was removed, and the scheduler is told so', async () => {
  const [address, other] = [await put(200_000), await put(200_000)]
  expect(await ground.blobFiles()).toHaveLength(2)
  discard(address)
  await until(async () => jobs.left.length === 0 && (await ground.blobFiles()).length === 1)
  expect(await there(address)).toBe(false)
  expect(await there(other)).toBe(true)
  await ann().delete(other)
})

test('what is no job’s own, or another’s, stays though a removed job has named it', async () => {
  const [own, mine] = [await put(), (await ann().put(Buffer.from('x'))).address]
  discard(own, { owner: 'bob' })
  discard(own, { namespace: 'elsewhere' })
  discard(mine)
  await until(async () => jobs.left.length === 0)
  expect([await there(own), await there(mine)]).toEqual([true, true])
  await ann().delete(own)
})

test('a value that jobs name is kept at each look, and one that none does goes', async () => {
  const [named, unnamed] = [await put(), await put()]
  jobs.named.add(named)
  await look()
  expect([await there(named), await there(unnamed)]).toEqual([true, false])
  await look()
  expect(await there(named)).toBe(true)
  expect((await ann().get(named)).bytes).toHaveLength(100)
  await ann().delete(named)
})

test('while the scheduler cannot be asked nothing goes, and nothing is forgotten', async () => {
  const [unnamed, left] = [await put(), await put()]
  jobs.away = true
  discard(left)
  await look()
  expect([await there(unnamed), await there(left)]).toEqual([true, true])
  jobs.away = false
  await until(async () => !(await there(left)))
  await look()
  expect(await there(unnamed)).toBe(false)
})

test('an upload that is resumed ends as the own of its job too', async () => {
  const uploadId = await ann().startUpload({ forJob: true })
  const { address } = await ann().put(Buffer.alloc(100), { uploadId })
  expect(await ann().describe(address)).toMatchObject({ expireTime: undefined })
  await look()
  expect(await there(address)).toBe(false)
})

test('a place or an end of its own is refused, each named', async () => {
  const { address } = await ann().reserve()
  const { scope } = await ann().openScope()
  for (const [field, header] of Object.entries({
    'header.address': { address },
    'header.scope': { scope },
    'header.time_to_live': { timeToLive: durationFrom(1_000) },
  })) {
    const refusal = await refusalOf(ann().put(Buffer.from('x'), { forJob: true, ...header }))
    expect(refusal).toMatchObject({ reason: 'INVALID_FIELD', fields: [field] })
  }
})
