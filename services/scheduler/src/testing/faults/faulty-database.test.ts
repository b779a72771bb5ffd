import type { Database } from '@offstage/kit/database'
import { isConnectionError, isTransientError } from '@offstage/kit/database'
import { createChance } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { openFreshDatabase } from '../fresh-database.ts'
import { withFaults } from './faulty-database.ts'

const ADD = { name: '', text: 'INSERT INTO n DEFAULT VALUES' }

async function count(database: Database): Promise<number> {
  const { rows } = await database.query<{ n: number }>({
    name: '',
    text: 'SELECT count(*)::int AS n FROM n',
  })
  return rows[0]?.n ?? 0
}

async function withTable() {
  const database = await openFreshDatabase({ poolSize: 1 })
  await database.query({ name: '', text: 'CREATE TABLE n (id serial)' })
  return database
}

/** Adds so many rows, each by `add`; how many calls answered, and what the others heard of it. */
async function addMany(times: number, add: () => Promise<unknown>) {
  const errors: unknown[] = []
  for (let done = 0; done < times; done++) {
    await add().catch((error: unknown) => void errors.push(error))
  }
  return { answered: times - errors.length, errors }
}

test('a statement that fails was not applied, or it was and its answer is lost, and both read as a server that is away', async () => {
  await using database = await withTable()
  const faults = { failed: 0, lost: 0 }
  const chance = createChance(1)
  const faulty = withFaults(database, {
    chance,
    strikes: () => chance.within(1, 4) === 1,
    onFault: (_, how) => void faults[how]++,
  })
  const { answered, errors } = await addMany(200, () => faulty.query(ADD, []))
  expect(faults.failed).toBeGreaterThan(0)
  expect(faults.lost).toBeGreaterThan(0)
  expect(errors).toHaveLength(faults.failed + faults.lost)
  expect(await count(database)).toBe(answered + faults.lost)
  expect(errors.filter((error) => !isTransientError(error))).toEqual([])
  expect(errors.some(isConnectionError)).toBe(true)
})

test('a transaction is applied as a whole or not at all, though its work swallows what failed', async () => {
  await using database = await withTable()
  const faults: string[] = []
  const chance = createChance(2)
  const faulty = withFaults(database, {
    chance,
    strikes: () => chance.within(1, 6) === 1,
    onFault: (statement, how) => void faults.push(`${statement} ${how}`),
  })
  const both = () =>
    faulty.transaction(async (tx) => {
      await tx.query(ADD, [])
      await tx.query(ADD, []).catch(() => {})
    })
  const { answered } = await addMany(100, both)
  const lost = faults.filter((fault) => fault === 'commit lost').length
  expect(lost).toBeGreaterThan(0)
  expect(faults).toContain(' failed')
  expect(await count(database)).toBe(2 * (answered + lost))
})

test('the same seed is the same story', () => {
  const story = (seed: number) => {
    const chance = createChance(seed)
    return Array.from({ length: 50 }, () => chance.within(1, 100))
  }
  expect(story(7)).toEqual(story(7))
  expect(story(7)).not.toEqual(story(8))
})
