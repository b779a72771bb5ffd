/** Leases of callers (rows L10, E3): granted, renewed, ended, and nobody else's. */
import { status } from '@grpc/grpc-js'
import { durationFrom } from '@offstage/proto/durations'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCallerLeaseStore } from './store/caller-leases.ts'
import { connectLeases } from './testing/leases.ts'
import { type Bundle, setup } from './testing/setup.ts'

let it: Bundle
let leases: ReturnType<typeof connectLeases>
const stack = new AsyncDisposableStack()
beforeAll(async () => {
  it = stack.use(await setup())
  leases = stack.use(connectLeases(it.scheduler.address))
})
afterAll(() => stack.disposeAsync())

const HOUR_MS = 3_600_000

/** Moves the end of a lease, as the clock of the database would. */
const moveEnd = (leaseId: string, byMs: number) => {
  const text = `UPDATE offstage.caller_leases SET expire_time = expire_time + $2::float8 * interval '1 ms' WHERE id = $1::uuid`
  return it.database.query({ name: '', text }, [leaseId, byMs])
}
const refused = (answer: Promise<unknown>) =>
  answer.then(
    () => expect.unreachable('it was not refused'),
    ({ code, details }: { code: number; details: string }) => `${status[code]} ${details}`,
  )
const endOf = ({ expireTime }: { expireTime?: Date | undefined }) => expireTime?.getTime() ?? 0

test('a lease is granted once for its request id, and each renewal puts its end off', async () => {
  const asked = { duration: durationFrom(HOUR_MS), displayName: 'closing', requestId: 'r-1' }
  const lease = await leases.create(asked)
  expect(lease).toMatchObject({ owner: 'dev', displayName: 'closing', duration: asked.duration })
  expect(await leases.create({ ...asked, duration: durationFrom(5_000) })).toEqual(lease)
  expect((await leases.create(asked, 'ann')).leaseId).not.toBe(lease.leaseId)
  await moveEnd(lease.leaseId, -HOUR_MS / 2)
  expect(endOf(await leases.renew(lease.leaseId))).toBeGreaterThanOrEqual(endOf(lease))
})

test('what has run out is not renewed, and its request id is free again', async () => {
  const { leaseId } = await leases.create({ requestId: 'r-2' })
  await moveEnd(leaseId, -HOUR_MS)
  expect(await refused(leases.renew(leaseId))).toContain(`NOT_FOUND there is no lease ${leaseId}`)
  const next = await leases.create({ requestId: 'r-2' })
  expect(next.leaseId).not.toBe(leaseId)
  await leases.renew(next.leaseId)
})

test('a lease that was ended is gone, and ending it again is nothing', async () => {
  const { leaseId } = await leases.create()
  await leases.end(leaseId)
  await leases.end(leaseId)
  expect(await refused(leases.renew(leaseId))).toContain('NOT_FOUND')
})

test('a stranger who names a lease learns and ends nothing; an administrator ends it, on record', async () => {
  const { leaseId } = await leases.create({}, 'ann')
  const missing = `${leaseId.slice(0, -4)}0000`
  for (const stranger of ['bob', 'olga:operator', 'dev']) {
    const said = await refused(leases.renew(leaseId, stranger))
    expect(said.replaceAll(leaseId, missing)).toBe(await refused(leases.renew(missing, stranger)))
    if (stranger !== 'dev') await leases.end(leaseId, stranger)
    await leases.renew(leaseId, 'ann')
  }
  await leases.end(leaseId)
  expect(await refused(leases.renew(leaseId, 'ann'))).toContain('NOT_FOUND')
  const text = `SELECT actor, owners, targets FROM offstage.acts WHERE call = 'NamespaceService.EndLease'`
  const { rows } = await it.database.query({ name: '', text })
  expect(rows).toEqual([{ actor: 'dev', owners: ['ann'], targets: [leaseId] }])
})

test('the sweep removes what has run out, and lets none live longer for a clock that was put back', async () => {
  const { removeEnded } = createCallerLeaseStore(it.database)
  await removeEnded(1_000)
  const text = 'SELECT expire_time FROM offstage.caller_leases WHERE id = $1::uuid'
  const { leaseId, expireTime = new Date() } = await leases.create()
  const stored = async () =>
    (await it.database.query<{ expire_time: Date }>({ name: '', text }, [leaseId])).rows
  await moveEnd(leaseId, HOUR_MS)
  expect(await removeEnded(1_000)).toBe(0)
  const [kept] = await stored()
  expect(kept?.expire_time.getTime()).toBeLessThan(expireTime.getTime() + 60_000)
  await moveEnd(leaseId, -HOUR_MS)
  expect(await removeEnded(1_000)).toBe(1)
  expect(await stored()).toEqual([])
})

test.each([
  ['a short life', { duration: durationFrom(4_999) }, 'duration must be within 5 s and 1 day'],
  ['a negative one', { duration: durationFrom(-1) }, 'duration must be within 5 s and 1 day'],
  [
    'a long one',
    { duration: durationFrom(24 * HOUR_MS + 1) },
    'duration must be within 5 s and 1 day',
  ],
  ['a long name', { displayName: 'x'.repeat(201) }, 'display_name must be at most 200 characters'],
  ['a long id', { requestId: 'x'.repeat(101) }, 'request_id must be at most 100 characters'],
])('%s is refused, naming the field', async (_, asked, said) => {
  expect(await refused(leases.create(asked))).toBe(`INVALID_ARGUMENT ${said}`)
})

test.each(['', 'nonsense', 'ABCDEF00-0000-0000-0000-000000000000'])(
  '%j names no lease',
  async (leaseId) => {
    const said = 'INVALID_ARGUMENT lease_id must be the id of a lease, a lower-case UUID'
    expect(await refused(leases.renew(leaseId))).toBe(said)
    expect(await refused(leases.end(leaseId))).toBe(said)
  },
)

test('nobody holds more than a thousand, and what is ended makes room', async () => {
  const first = await leases.create({}, 'max')
  const text = `INSERT INTO offstage.caller_leases (id, namespace, owner, display_name, duration_ms, expire_time)
    SELECT gen_random_uuid(), 'default', 'max', '', 60000, now() + interval '1 minute' FROM generate_series(1, 999)`
  await it.database.query({ name: '', text })
  expect(await refused(leases.create({}, 'max'))).toContain('RESOURCE_EXHAUSTED you hold 1000')
  await leases.end(first.leaseId, 'max')
  await leases.create({}, 'max')
})
