/** What a filter selects in SQL, beside a plain reading of its terms. */
import { randomUUID } from 'node:crypto'
import type { FilterTerm } from '@offstage/proto/job-filter'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JobKind } from '../domain/job-kind.ts'
import { JobState } from '../domain/job-state.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { selecting } from './job-filter.ts'

const HOUR = 3_600_000
const NOW = new Date('2026-06-01T12:00:00Z')
const parents = [randomUUID(), randomUUID()]

interface Row {
  readonly id: string
  readonly state: keyof typeof JobState
  readonly kind: keyof typeof JobKind
  readonly method: string
  readonly key: string
  readonly owner: string
  readonly pool: string
  readonly parent: string
  readonly labels: Readonly<Record<string, string>>
  readonly ageMs: number
  readonly endedMs: number | undefined
}

const words = {
  method: ['a.b', 'a_b', 'axb', 'a.b.c', 'b'],
  key: ['', 'x', 'y "z"'],
  owner: ['ann', 'bob'],
  pool: ['default', 'gpu'],
  parent: ['', ...parents],
} as const
const states = Object.keys(JobState) as Row['state'][]
const kinds = Object.keys(JobKind) as Row['kind'][]
const ages = [0, HOUR / 2, HOUR, 5 * HOUR, 100 * HOUR]

const row: fc.Arbitrary<Row> = fc.record({
  id: fc.constant('').map(() => randomUUID()),
  state: fc.constantFrom(...states),
  kind: fc.constantFrom(...kinds),
  method: fc.constantFrom(...words.method),
  key: fc.constantFrom(...words.key),
  owner: fc.constantFrom(...words.owner),
  pool: fc.constantFrom(...words.pool),
  parent: fc.constantFrom(...words.parent),
  labels: fc.dictionary(fc.constantFrom('tenant', 'a b'), fc.constantFrom('', 'acme', 'x'), {
    maxKeys: 2,
  }),
  ageMs: fc.constantFrom(...ages),
  endedMs: fc.option(fc.constantFrom(...ages), { nil: undefined }),
})

const not = fc.boolean()
const word = <F extends string>(field: F, values: readonly string[]) =>
  fc.record({ field: fc.constant(field), value: fc.constantFrom(...values), not })
const term: fc.Arbitrary<FilterTerm> = fc.oneof(
  word('state', states),
  word('kind', kinds),
  word('method', [...words.method, 'a.*', 'a_*', '*b', '*', 'none']),
  word('key', [...words.key, 'none']),
  word('owner', [...words.owner, 'none']),
  word('pool', words.pool),
  word('parent', words.parent),
  fc.record({
    field: fc.constant('label' as const),
    label: fc.constantFrom('tenant', 'a b', 'none'),
    value: fc.constantFrom('', 'acme', 'x'),
    not,
  }),
  fc.record({
    field: fc.constantFrom('age', 'ended'),
    op: fc.constantFrom('<', '>'),
    ms: fc.constantFrom(...ages.map((ms) => ms + 1)),
  }),
  fc.record({
    field: fc.constant('created' as const),
    op: fc.constantFrom('>=', '<'),
    time: fc.constantFrom(...ages.map((ms) => new Date(NOW.getTime() - ms))),
  }),
)

function holds(one: Row, { ...given }: FilterTerm): boolean {
  switch (given.field) {
    case 'age':
    case 'ended': {
      const ms = given.field === 'age' ? one.ageMs : one.endedMs
      return ms !== undefined && (given.op === '<' ? ms < given.ms : ms > given.ms)
    }
    case 'created': {
      const time = NOW.getTime() - one.ageMs
      const bound = given.time.getTime()
      return given.op === '<' ? time < bound : time >= bound
    }
    case 'label':
      return one.labels[given.label] === given.value
    case 'method': {
      const parts = given.value.split('*').map((part) => part.replace(/\./g, '\\.'))
      return new RegExp(`^${parts.join('.*')}$`).test(one.method)
    }
    default:
      return one[given.field] === given.value
  }
}

function selects(terms: readonly FilterTerm[], one: Row): boolean {
  return terms.every((given) => {
    if ('op' in given) return holds(one, given)
    const alike = terms.filter(
      (other) =>
        !('op' in other) &&
        other.field === given.field &&
        other.not === given.not &&
        (other.field !== 'label' || given.field !== 'label' || other.label === given.label),
    )
    return alike.some((other) => holds(one, other)) !== given.not
  })
}

const INSERT = {
  name: 'insert_test_jobs',
  text: `
    INSERT INTO offstage.jobs
      (id, namespace, method, owner, state, lane, kind, priority, attempt, key, behind_key, pool, parent_id, labels, create_time, finish_time)
    SELECT (r->>'id')::uuid, 'default', r->>'method', r->>'owner', (r->>'state')::smallint, 1, (r->>'kind')::smallint, 0, 0,
      nullif(r->>'key', ''), true, nullif(r->>'pool', 'default'), nullif(r->>'parent', '')::uuid,
      CASE WHEN r->'labels' <> '{}' THEN r->'labels' END,
      $2::timestamptz - (r->>'ageMs')::float8 * interval '1 ms',
      $2::timestamptz - (r->>'endedMs')::float8 * interval '1 ms'
    FROM jsonb_array_elements($1::jsonb) r`,
}

test('a filter selects what its terms say, whatever they are', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const rows = fc.sample(row, { numRuns: 400, seed: 7 })
  const stored = rows.map((one) => ({
    ...one,
    state: JobState[one.state],
    kind: JobKind[one.kind],
  }))
  await database.query(INSERT, [JSON.stringify(stored), NOW])
  const scope = { namespace: 'default', owner: undefined }
  let found = 0
  await fc.assert(
    fc.asyncProperty(fc.array(term, { maxLength: 6 }), fc.boolean(), async (terms, own) => {
      const { where, values } = selecting(
        own ? { ...scope, owner: 'ann' } : scope,
        terms,
        () => `timestamptz '${NOW.toISOString()}'`,
      )
      const text = `SELECT j.id FROM offstage.jobs j WHERE ${where}`
      const selected = await database.query<{ id: string }>({ name: '', text }, values)
      const wanted = rows.filter((one) => selects(terms, one) && (!own || one.owner === 'ann'))
      found += wanted.length
      expect(selected.rows.map(({ id }) => id).sort()).toEqual(wanted.map(({ id }) => id).sort())
    }),
    { numRuns: 500 },
  )
  expect(found).toBeGreaterThan(1_000)
})

test('of another namespace nothing is selected', async () => {
  const { where, values } = selecting({ namespace: 'other', owner: undefined }, [])
  expect([where, values]).toEqual(['j.namespace = $1', ['other']])
})
