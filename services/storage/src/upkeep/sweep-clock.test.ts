/** A clock of the database that was put back two hours: what it wrote before lies that much too far ahead. */
import { randomBytes } from 'node:crypto'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Address, UploadId } from '../domain/identifier.ts'
import { createClockStore } from '../store/clock-store.ts'
import { createUploadStore } from '../store/upload-store.ts'
import { createValueStore } from '../store/value-store.ts'
import { type Ground, openGround } from '../testing/storage-fixture.ts'

let ground: Ground
beforeAll(async () => {
  ground = await openGround()
})
afterAll(() => ground[Symbol.asyncDispose]())

const DUE = [
  ['temp_values', 'expire_time'],
  ['scopes', 'expire_time'],
  ['uploads', 'expire_time'],
  ['uploads', 'writer_until'],
  ['blob_writers', 'lease_until'],
] as const

async function dueInMs(): Promise<(number | null)[]> {
  const due: (number | null)[] = []
  for (const [table, column] of DUE) {
    const [row] = await ground.run(
      `SELECT round(extract(epoch FROM max(${column}) - now()) * 1000)::bigint AS ms
       FROM offstage_storage.${table}`,
    )
    due.push(typeof row?.ms === 'number' ? row.ms : null)
  }
  return due
}

/** As if all had been written before the clock was put back. */
async function putClockBack(interval: string): Promise<void> {
  for (const [table, column] of DUE) {
    await ground.run(
      `UPDATE offstage_storage.${table} SET ${column} = ${column} + interval '${interval}'`,
    )
  }
  await ground.run(
    `UPDATE offstage_storage.clock SET latest = clock_timestamp() + interval '${interval}'`,
  )
}

test('due times that a clock has left behind come back to what they can be at most', async () => {
  const second = 1_000
  const limits = [3_600, 60, 1_800, 6, 3_600].map((seconds) => seconds * second)
  const uploadIdleMsMax = 1_800 * second
  await using storage = await ground.start({ sweepEveryMs: 20, uploadIdleMsMax })
  const ann = storage.client('ann')
  await ann.put(Buffer.from('x'), { timeToLive: { seconds: 3_600n, nanos: 0 } })
  await ann.openScope({ lease: { seconds: 60n, nanos: 0 } })
  const id = (await ann.startUpload()) as UploadId
  await createUploadStore(ground.database, 1e9).acquire(id, 'w', 6_000)
  await putClockBack('2 hours')
  const withinLimits = async () =>
    (await dueInMs()).every((ms, i) => ms !== null && ms <= (limits[i] ?? 0))
  await until(withinLimits)
  // None of those that are long has ended by it.
  for (const [i, ms] of (await dueInMs()).entries()) {
    const limit = limits[i] ?? 0
    if (limit > 60 * second) expect(ms).toBeGreaterThan(limit / 2)
  }
})

test('a clock put back while it is looked at is seen at the next look', async () => {
  const clock = createClockStore(ground.database)
  await clock.accept(24 * 3_600_000)
  for (const behind of ['2 hours', '4 hours']) {
    const seen = await clock.putBackMs()
    await putClockBack(behind)
    await clock.accept(seen)
    expect(await clock.putBackMs()).toBeGreaterThan(3_600_000)
  }
  await clock.accept(await clock.putBackMs())
  expect(await clock.putBackMs()).toBe(0)
})

test('due times stay as they are while the clock goes on', async () => {
  await using storage = await ground.start({ sweepEveryMs: 20 })
  const { address } = await storage.client().put(Buffer.from('x'))
  await ground.run(
    "UPDATE offstage_storage.temp_values SET expire_time = expire_time + interval '2 hours' WHERE address = $1",
    [address],
  )
  const latest = async () =>
    Number((await ground.run('SELECT latest FROM offstage_storage.clock'))[0]?.latest)
  const seen = await latest()
  await until(async () => (await latest()) > seen + 50)
  const [value] = await ground.run(
    `SELECT expire_time > now() + interval '25 hours' AS ahead FROM offstage_storage.temp_values
     WHERE address = $1`,
    [address],
  )
  expect(value?.ahead).toBe(true)
})

test('a claim of a dead reader, and the lease of a dead writer, lapse within their length', async () => {
  await using storage = await ground.start()
  const ann = storage.client('ann')
  const address = (await ann.put(randomBytes(10))).address as Address
  const id = (await ann.startUpload()) as UploadId
  const quotas = { ownerBytesMax: 1e12, ownerValuesMax: 1e9, namespaceBytesMax: 1e12 }
  const values = createValueStore(ground.database, quotas)
  const uploads = createUploadStore(ground.database, 1e9)
  const leaseMs = 200
  expect((await values.claim(address, 'dead', leaseMs)).kind).toBe('claimed')
  expect(await uploads.acquire(id, 'dead', leaseMs)).toBe(true)
  await ground.run(
    "UPDATE offstage_storage.temp_values SET claim_until = claim_until + interval '2 hours'",
  )
  await putClockBack('2 hours')
  // Whoever lives would renew it within that time, so it is not taken at once.
  expect((await values.claim(address, 'next', leaseMs)).kind).toBe('busy')
  expect(await uploads.acquire(id, 'next', leaseMs)).toBe(false)
  await until(async () => (await values.claim(address, 'next', leaseMs)).kind === 'claimed')
  await until(() => uploads.acquire(id, 'next', leaseMs))
})
