/** The keys that sign tokens of attempts: made by whichever replica comes first, rotated, known to all. */
import { decodeProtectedHeader } from 'jose'
import { expect, test } from 'vitest'
import { ONE_DAY, tokensOver } from '../testing/attempt-tokens.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { session } from '../testing/session.ts'

const { sessionKey } = session()

const grant = { jobId: '00000000-0000-7000-8000-000000000000', attempt: 1 }
/** Every attempt goes on, and is everybody's. */
const store = {
  goOn: async (attempts: readonly unknown[]) => attempts.map(() => true),
  findHeld: async () => ({ owner: 'alice', namespace: 'default', privileged: false }),
}

async function setup() {
  const database = await openFreshDatabase({ poolSize: 8 })
  const run = async (text: string) =>
    (await database.query<{ id: string }>({ name: '', text })).rows
  return {
    database,
    run,
    replica: (options: Parameters<typeof tokensOver>[1] = {}) =>
      tokensOver(database, { store, ...options }).attempts,
    age: (by: string) =>
      run(`UPDATE offstage.signing_keys SET create_time = create_time - interval '${by}'`),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

const keyOf = (token: string) => decodeProtectedHeader(token).kid

test('replicas that begin at once have one key, and take each other’s tokens', async () => {
  await using it = await setup()
  const replicas = Array.from({ length: 6 }, () => it.replica())
  const issued = await Promise.all(replicas.map((each) => each.issue(grant, sessionKey)))
  expect(new Set(issued.map(({ token }) => keyOf(token))).size).toBe(1)
  for (const replica of replicas) {
    for (const { token } of issued) {
      expect((await replica.verify(token)).actor).toMatchObject({ user: 'alice' })
    }
  }
  expect(await it.run('SELECT FROM offstage.signing_keys')).toHaveLength(1)
})

test('no login without rights on the keys can hold up the next one', async () => {
  await using it = await setup()
  const lock = "SELECT pg_advisory_xact_lock(hashtextextended('offstage.signing_keys', 0))"
  const { promise: over, resolve: end } = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const holding = it.database.transaction(async (tx) => {
    await tx.query({ name: '', text: lock })
    held.resolve()
    await over
  })
  await held.promise
  expect((await it.replica().issue(grant, sessionKey)).token).not.toBe('')
  end()
  await holding
})

test('a key that is too old is replaced by one replica, and goes on to verify on all', async () => {
  await using it = await setup()
  const [a, b] = [it.replica({ freshMs: 0 }), it.replica({ freshMs: 0 })]
  const { token: old } = await a.issue(grant, sessionKey)
  await it.age('1 day')
  const issued = await Promise.all([a, b, a, b].map((each) => each.issue(grant, sessionKey)))
  const names = new Set(issued.map(({ token }) => keyOf(token)))
  expect(names.size).toBe(1)
  expect(names).not.toContain(keyOf(old))
  for (const replica of [a, b]) {
    for (const token of [old, issued[0]?.token ?? '']) await replica.verify(token)
    expect(JSON.parse(await replica.jwks()).keys).toHaveLength(2)
  }
})

test('keys rotate under load, and every token is taken by every replica', async () => {
  await using it = await setup()
  const terms = { ...ONE_DAY, olderThanMs: 20 }
  const replicas = Array.from({ length: 3 }, () => it.replica({ freshMs: 5, terms }))
  const names = new Set<string | undefined>()
  const load = async (at: number) => {
    for (let n = 0; n < 12; n += 1) {
      const { token } = (await (replicas[at % 3] ?? replicas[0])?.issue(grant, sessionKey)) ?? {
        token: '',
      }
      names.add(keyOf(token))
      await Promise.all(replicas.map((each) => each.verify(token)))
    }
  }
  await Promise.all([0, 1, 2, 3, 4, 5].map(load))
  expect(names.size).toBeGreaterThan(3)
})

test('a key is forgotten once nothing it signed can live', async () => {
  await using it = await setup()
  const replica = it.replica({ freshMs: 0 })
  const { token: first } = await replica.issue(grant, sessionKey)
  await it.age('1 day')
  const { token: second } = await replica.issue(grant, sessionKey)
  await it.age('1 day')
  await replica.issue(grant, sessionKey)
  const kept = (await it.run('SELECT id FROM offstage.signing_keys')).map((row) => row.id)
  expect(kept).toHaveLength(2)
  expect(kept).not.toContain(keyOf(first))
  expect(kept).toContain(keyOf(second))
  await expect(it.replica().verify(first)).rejects.toMatchObject({ reason: 'TOKEN_INVALID' })
})

test('a replica whose keys are hours old signs with none of them', async () => {
  await using it = await setup()
  const slow = it.replica({ freshMs: 0 })
  const { token: old } = await slow.issue(grant, sessionKey)
  await it.run('DELETE FROM offstage.signing_keys')
  const { token } = await it.replica().issue(grant, sessionKey)
  expect(keyOf((await slow.issue(grant, sessionKey)).token)).toBe(keyOf(token))
  expect(keyOf(token)).not.toBe(keyOf(old))
})
