/** What the metadata store promises, over PGlite and PostgreSQL word for word the same. */
import { createHash } from 'node:crypto'
import { type Database, openPglite } from '@offstage/kit/database'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Address, Namespace } from '../domain/identifier.ts'
import type { PutCommand } from '../domain/put.ts'
import type { Reach } from '../domain/reach.ts'
import { newAddress, newClaim, newScopeId, newVersion } from '../new-ids.ts'
import type { ScopeStore } from '../ports/scopes.ts'
import type { SweepStore } from '../ports/sweeps.ts'
import type { ValueStore } from '../ports/values.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { createScopeStore } from './scope-store.ts'
import { createSweepStore } from './sweep-store.ts'
import { createValueStore, migrateStorage } from './value-store.ts'

const adapters = {
  pglite: () => openPglite(),
  postgres: () => openFreshDatabase({ poolSize: 4 }),
}

const namespace = 'default' as Namespace
const owner = 'ann'
const quotas = { ownerBytesMax: 1e12, ownerValuesMax: 1e9, namespaceBytesMax: 1e12 }
const HOUR_MS = 3_600_000

function putOf(text: string, fields: Partial<PutCommand> = {}): PutCommand {
  const bytes = Buffer.from(text)
  const sha256 = createHash('sha256').update(bytes).digest()
  return {
    address: undefined,
    newAddress: newAddress(),
    namespace,
    owner,
    scope: undefined,
    timeToLiveMs: undefined,
    forJob: false,
    contentType: 'text/plain',
    version: newVersion(),
    body: { kind: 'inline', bytes, sha256 },
    request: undefined,
    upload: undefined,
    ...fields,
  }
}

const UNHELD = { partSums: Buffer.alloc(4), writerId: undefined }

function blobOf(blobId: string): PutCommand['body'] {
  return { kind: 'blob', blobId, size: 100_000, sha256: Buffer.alloc(32, 1), ...UNHELD }
}

describe.each(Object.entries(adapters))('%s', (_kind, open) => {
  const resources = new AsyncDisposableStack()
  let database: Database
  let values: ValueStore
  let scopes: ScopeStore
  let sweeps: SweepStore

  beforeAll(async () => {
    database = resources.use(await open())
    await migrateStorage(database)
    values = createValueStore(database, quotas)
    scopes = createScopeStore(database, 1e9)
    sweeps = createSweepStore(database)
  })
  beforeEach(async () => {
    for (const table of ['temp_values', 'scopes', 'usage', 'garbage_blobs']) {
      await run(`DELETE FROM offstage_storage.${table}`)
    }
  })
  afterAll(() => resources.disposeAsync())

  const run = async (text: string, parameters: unknown[] = []) =>
    (await database.query<Record<string, unknown>>({ name: '', text }, parameters)).rows

  async function stored(command: PutCommand) {
    const outcome = await values.put(command)
    if (outcome.kind !== 'stored') throw new Error(`not stored: ${outcome.kind}`)
    return outcome
  }

  /**
   * The model: what an address holds. `undefined`: nothing, `null`: reserved.
   */
  interface Model {
    readonly fixed: boolean
    text: string | null | undefined
  }

  const step = fc.record({
    kind: fc.constantFrom('reserve', 'put', 'replace', 'readAndDelete', 'breakOff', 'delete'),
    which: fc.nat(3),
    text: fc.string({ maxLength: 8 }),
  })

  async function check(address: Address, { text }: Model) {
    const found = await values.read(address)
    if (text === undefined) expect(found).toBeUndefined()
    else if (text === null) expect(found?.value.kind).toBe('reserved')
    else expect(found?.inlineBytes?.toString()).toBe(text)
  }

  async function apply(
    models: Map<Address, Model>,
    { kind, which, text }: { kind: string; which: number; text: string },
  ): Promise<void> {
    const [address, model] = [...models].at(which % Math.max(1, models.size)) ?? []
    if (kind === 'reserve') {
      const fresh = newAddress()
      const options = { namespace, owner, scope: undefined, timeToLiveMs: undefined }
      await values.reserve({ address: fresh, ...options })
      models.set(fresh, { fixed: true, text: null })
    } else if (kind === 'put') {
      models.set((await stored(putOf(text))).address, { fixed: false, text })
    } else if (address !== undefined && model !== undefined) {
      await applyTo(address, model, kind, text)
    }
  }

  async function applyTo(address: Address, model: Model, kind: string, text: string) {
    if (kind === 'replace') {
      const outcome = await values.put(putOf(text, { address }))
      expect(outcome.kind).toBe(model.text === undefined ? 'address-gone' : 'stored')
      if (model.text !== undefined) model.text = text
    } else if (kind === 'delete') {
      expect(await values.delete(address)).toBe(model.text !== undefined)
      model.text = undefined
    } else {
      const claim = newClaim()
      const taken = await values.claim(address, claim, HOUR_MS)
      expect(taken.kind).toBe(typeof model.text === 'string' ? 'claimed' : 'absent')
      if (taken.kind !== 'claimed') return
      expect(taken.inlineBytes?.toString()).toBe(model.text)
      if (kind === 'breakOff') return values.releaseClaim(address, claim)
      expect(await values.consume(address, claim)).toBe(true)
      model.text = model.fixed ? null : undefined
    }
  }

  test('any sequence of reserving, putting, reading and deleting goes as the model says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const models = new Map<Address, Model>()
        await run('DELETE FROM offstage_storage.temp_values')
        for (const each of steps) {
          await apply(models, each)
          for (const [address, model] of models) await check(address, model)
        }
        const texts = [...models.values()].flatMap(({ text }) => (text === undefined ? [] : [text]))
        const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0)
        const usage = await values.usage(namespace, owner)
        expect(usage).toEqual({
          ownerBytes: bytes,
          ownerValues: texts.length,
          namespaceBytes: bytes,
        })
      }),
      { numRuns: 30 },
    )
  })

  test('of readers at the same time one has the claim, and the others see it busy', async () => {
    const { address } = await stored(putOf('x'))
    const claims = await Promise.all(
      Array.from({ length: 8 }, () => values.claim(address, newClaim(), HOUR_MS)),
    )
    const kinds = claims.map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'claimed')).toHaveLength(1)
    expect(kinds.filter((kind) => kind === 'busy')).toHaveLength(7)
  })

  test('of a value of somebody else nothing is read', async () => {
    const { address, owner } = await stored(putOf('x'))
    const reaches = (reach: Reach) => values.read(address, reach)
    expect((await reaches({ owner, namespaces: undefined }))?.value.address).toBe(address)
    expect(await reaches({ owner: `not-${owner}`, namespaces: undefined })).toBeUndefined()
    expect(await reaches({ owner, namespaces: ['elsewhere'] })).toBeUndefined()
  })

  test('a claim whose reader died is over after its lease', async () => {
    const { address } = await stored(putOf('x'))
    await values.claim(address, 'dead', HOUR_MS)
    await run(`UPDATE offstage_storage.temp_values SET claim_until = now()`)
    expect(await values.claim(address, 'next', HOUR_MS)).toMatchObject({ kind: 'claimed' })
    expect(await values.renewClaim(address, 'dead', HOUR_MS)).toBe(false)
    expect(await values.consume(address, 'dead')).toBe(false)
    expect(await values.renewClaim(address, 'next', HOUR_MS)).toBe(true)
    expect(await values.consume(address, 'next')).toBe(true)
  })

  test('a value put during a read-and-delete is not deleted by it', async () => {
    const { address } = await stored(putOf('old'))
    await values.claim(address, 'reader', HOUR_MS)
    await stored(putOf('new', { address }))
    expect(await values.consume(address, 'reader')).toBe(false)
    expect((await values.read(address))?.inlineBytes?.toString()).toBe('new')
  })

  test('blobs that nothing points to any more are garbage, each once', async () => {
    const { address } = await stored(putOf('', { body: blobOf('a') }))
    await stored(putOf('', { address, body: blobOf('b') }))
    expect(await sweeps.garbageBlobs(10)).toEqual(['a'])
    expect(await sweeps.unreferenced(['a', 'b', 'c'])).toEqual(['a', 'c'])
    await values.claim(address, 'reader', HOUR_MS)
    await values.consume(address, 'reader')
    expect(await sweeps.garbageBlobs(10)).toEqual(['a', 'b'])
    await sweeps.forgetGarbage(['a'])
    expect(await sweeps.garbageBlobs(10)).toEqual(['b'])
  })

  test('expired values are out of sight at once and are deleted in batches', async () => {
    for (let i = 0; i < 5; i++) await stored(putOf(String(i)))
    const kept = await stored(putOf('kept'))
    await run(
      `UPDATE offstage_storage.temp_values SET expire_time = now() - interval '1 second'
       WHERE address <> $1`,
      [kept.address],
    )
    const listed = await values.list({
      ...{ namespace, owner, scope: undefined, after: undefined, limit: 10 },
    })
    expect(listed.values.map(({ address }) => address)).toEqual([kept.address])
    expect(await sweeps.deleteEndedValues(3)).toHaveLength(3)
    expect(await sweeps.deleteEndedValues(3)).toHaveLength(2)
    expect(await sweeps.deleteEndedValues(3)).toHaveLength(0)
    expect(await values.usage(namespace, owner)).toMatchObject({ ownerValues: 1, ownerBytes: 4 })
  })

  test('a time to live counts from the last put, which may change it', async () => {
    const lifeMs = async (command: PutCommand) => {
      const { createTime, expireTime } = await stored(command)
      return Number(expireTime) - Number(createTime)
    }
    const address = newAddress()
    const options = { namespace, owner, scope: undefined, timeToLiveMs: HOUR_MS }
    await values.reserve({ address, ...options })
    expect(await lifeMs(putOf('x', { address }))).toBe(HOUR_MS)
    expect(await lifeMs(putOf('x', { address, timeToLiveMs: 5 }))).toBe(5)
  })

  test('puts race with the closing of their scope, and none stays behind', async () => {
    const id = newScopeId()
    await scopes.open({ id, namespace, owner, displayName: '', leaseMs: HOUR_MS })
    const puts = Array.from({ length: 20 }, (_, i) => values.put(putOf(String(i), { scope: id })))
    const closing = scopes.close(id, 1000).then(() => scopes.deleteValues(id, 1000))
    const outcomes = await Promise.all(puts)
    await closing
    const kinds = new Set(outcomes.map(({ kind }) => kind))
    expect([...kinds].every((kind) => kind === 'stored' || kind === 'scope-closed')).toBe(true)
    expect(await run('SELECT FROM offstage_storage.temp_values')).toHaveLength(0)
    expect((await values.put(putOf('x', { scope: id }))).kind).toBe('scope-closed')
  })

  test('of puts with one request at the same moment one is stored', async () => {
    const request = { asker: owner, namespace, id: newVersion(), keptMs: HOUR_MS }
    const puts = Array.from({ length: 10 }, () => values.put(putOf('x', { request })))
    const outcomes = await Promise.all(puts)
    const stored = outcomes.filter((outcome) => outcome.kind === 'stored')
    expect(stored).toHaveLength(1)
    expect(outcomes.filter(({ kind }) => kind === 'request-id-used')).toHaveLength(9)
    expect(await run('SELECT FROM offstage_storage.temp_values')).toHaveLength(1)
    expect(await values.finishedPut(request)).toEqual({ value: stored[0], askedAddress: undefined })
  })

  test('scopes that ran out are closed, emptied, and forgotten after a while', async () => {
    const id = newScopeId()
    await scopes.open({ id, namespace, owner, displayName: '', leaseMs: HOUR_MS })
    const { address } = await stored(putOf('x', { scope: id }))
    expect(await sweeps.closeExpiredScopes(10)).toBe(0)
    await run('UPDATE offstage_storage.scopes SET expire_time = now()')
    expect(await values.find(address)).toBeUndefined()
    expect(await sweeps.closeExpiredScopes(10)).toBe(1)
    expect(await sweeps.forgetScopes(0, 10)).toBe(0)
    expect(await sweeps.deleteEndedValues(10)).toHaveLength(1)
    expect(await sweeps.forgetScopes(HOUR_MS, 10)).toBe(0)
    expect(await sweeps.forgetScopes(0, 10)).toBe(1)
    expect(await sweeps.forgetUsage(10)).toBe(1)
  })

  test('owners that write and delete at the same time are counted right', async () => {
    const owners = ['ann', 'bob', 'cyn']
    const work = Array.from({ length: 60 }, async (_, i) => {
      const owner = owners[i % 3] ?? ''
      const { address } = await stored(putOf('12345', { owner }))
      await stored(putOf('123', { address }))
      if (i % 2 === 0) await values.delete(address)
    })
    await Promise.all(work)
    for (const owner of owners) {
      expect(await values.usage(namespace, owner)).toEqual({
        ownerBytes: 30,
        ownerValues: 10,
        namespaceBytes: 90,
      })
    }
  })
})
