/** Scopes under puts at the same moment, which only PostgreSQL can have. */
import { createHash } from 'node:crypto'
import type { Database } from '@offstage/kit/database'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Namespace, ScopeId } from '../domain/identifier.ts'
import type { WriteFault } from '../domain/put.ts'
import type { StoredValue } from '../domain/temp-value.ts'
import { newAddress, newScopeId, newVersion } from '../new-ids.ts'
import type { ScopeStore } from '../ports/scopes.ts'
import type { SweepStore } from '../ports/sweeps.ts'
import type { ValueStore } from '../ports/values.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { createScopeStore } from './scope-store.ts'
import { createSweepStore } from './sweep-store.ts'
import { createValueStore } from './value-store.ts'

const namespace = 'default' as Namespace
const owner = 'ann'
const quotas = { ownerBytesMax: 1e12, ownerValuesMax: 1e9, namespaceBytesMax: 1e12 }
const resources = new AsyncDisposableStack()
let database: Database
let values: ValueStore
let scopes: ScopeStore
let sweeps: SweepStore

beforeAll(async () => {
  database = resources.use(await openFreshDatabase({ poolSize: 4 }))
  values = createValueStore(database, quotas)
  scopes = createScopeStore(database, 1e9)
  sweeps = createSweepStore(database)
})
afterAll(() => resources.disposeAsync())

const run = async (text: string, parameters: unknown[] = []) =>
  (await database.query<Record<string, unknown>>({ name: '', text }, parameters)).rows

async function openScope(): Promise<ScopeId> {
  const id = newScopeId()
  await scopes.open({ id, namespace, owner, displayName: '', leaseMs: 60_000 })
  return id
}

function put(scope: ScopeId) {
  const bytes = Buffer.from('x')
  const sha256 = createHash('sha256').update(bytes).digest()
  return values.put({
    ...{ address: undefined, newAddress: newAddress(), namespace, owner, scope },
    ...{ timeToLiveMs: undefined, forJob: false, contentType: 'text/plain', version: newVersion() },
    ...{ body: { kind: 'inline', bytes, sha256 }, request: undefined, upload: undefined },
  })
}

function goneOf(outcome: StoredValue | WriteFault) {
  if (outcome.kind !== 'stored') throw new Error(`not stored: ${outcome.kind}`)
  return { address: outcome.address, namespace }
}

/** A put that has written its row and does not commit before it is told. */
async function putUnderWay(scope: ScopeId) {
  const written = Promise.withResolvers<void>()
  const { promise: told, resolve: commit } = Promise.withResolvers<void>()
  // The row of usage that all puts of an owner lock last.
  const blocker = database.transaction(async (tx) => {
    const text = `INSERT INTO offstage_storage.usage VALUES ($1, $2, 0, 0)
      ON CONFLICT (namespace, owner) DO UPDATE SET value_count = usage.value_count`
    await tx.query({ name: '', text }, [namespace, owner])
    written.resolve()
    await told
  })
  await written.promise
  const stored = put(scope)
  await until(async () => {
    const [row] = await run(`SELECT count(*)::int AS waiting FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND query LIKE '%temp_values%'`)
    return row?.waiting === 1
  })
  return {
    async commit() {
      commit()
      await blocker
      return await stored
    },
  }
}

test('a renewal does not wait for the puts under way', async () => {
  const scope = await openScope()
  const underWay = await putUnderWay(scope)
  expect(await scopes.keepAlive(scope)).toBeInstanceOf(Date)
  expect(await underWay.commit()).toMatchObject({ kind: 'stored' })
})

test('a closing refuses new puts at once, and sees those under way', async () => {
  const scope = await openScope()
  let closed = false
  const underWay = await putUnderWay(scope)
  const closing = scopes.close(scope, 10).then((gone) => {
    closed = true
    return gone
  })
  await until(async () => (await scopes.find(scope))?.state === 'closed')
  expect(await put(scope)).toEqual({ kind: 'scope-closed' })
  expect(closed).toBe(false)
  const stored = await underWay.commit()
  expect(await closing).toEqual([])
  expect(await scopes.deleteValues(scope, 10)).toEqual([goneOf(stored)])
})

test('a lease that runs out under a put takes its value too', async () => {
  const scope = await openScope()
  const underWay = await putUnderWay(scope)
  await run('UPDATE offstage_storage.scopes SET expire_time = now() WHERE id = $1', [scope])
  expect(await sweeps.closeExpiredScopes(10)).toBe(1)
  expect(await sweeps.deleteEndedValues(10)).toEqual([])
  const stored = await underWay.commit()
  expect(stored).toMatchObject({ kind: 'stored' })
  expect(await sweeps.deleteEndedValues(10)).toHaveLength(1)
})

test('a put that waited for a lock looks whether the scope is open only then', async () => {
  const scope = await openScope()
  const locked = Promise.withResolvers<void>()
  const { promise: told, resolve: commit } = Promise.withResolvers<void>()
  const closing = database.transaction(async (tx) => {
    const lock = 'SELECT FROM offstage_storage.scopes WHERE id = $1 FOR UPDATE'
    await tx.query({ name: '', text: lock }, [scope])
    const close = 'UPDATE offstage_storage.scopes SET close_time = now() WHERE id = $1'
    await tx.query({ name: '', text: close }, [scope])
    locked.resolve()
    await told
  })
  await locked.promise
  const late = put(scope)
  await until(async () => {
    const [row] = await run(`SELECT count(*)::int AS waiting FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND query LIKE '%hold_scope%'`)
    return row?.waiting === 1
  })
  commit()
  await closing
  expect(await late).toEqual({ kind: 'scope-closed' })
})
