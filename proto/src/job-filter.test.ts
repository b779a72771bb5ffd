import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  FILTER_KINDS,
  FILTER_STATES,
  type FilterTerm,
  isFilterFault,
  parseFilter,
  printFilter,
} from './job-filter.ts'

const id = '0190a3f0-5b6c-7d8e-9f01-23456789abcd'

const text = (max: number) =>
  fc
    .string({ unit: 'grapheme', maxLength: max })
    .filter((s) => !s.includes('\0') && [...s].length <= max)
const not = fc.boolean()
const word = <F extends string>(field: F, value: fc.Arbitrary<string>) =>
  fc.record({ field: fc.constant(field), value, not })
const terms: fc.Arbitrary<FilterTerm[]> = fc.array(
  fc.oneof(
    word('state', fc.constantFrom(...FILTER_STATES)),
    word('kind', fc.constantFrom(...FILTER_KINDS)),
    word('method', fc.stringMatching(/^[A-Za-z0-9_.*-]{1,20}$/)),
    word('key', text(20)),
    word(
      'owner',
      text(20).filter((value) => value !== ''),
    ),
    word('pool', fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/)),
    word('parent', fc.constantFrom(id, '')),
    fc.record({
      field: fc.constant('label' as const),
      label: text(20).filter((label) => label !== ''),
      value: text(20),
      not,
    }),
    fc.record({
      field: fc.constantFrom('age', 'ended'),
      op: fc.constantFrom('<', '>'),
      ms: fc.nat({ max: 10 * 366 * 86_400_000 }),
    }),
    fc.record({
      field: fc.constant('created' as const),
      op: fc.constantFrom('>=', '<'),
      time: fc.date({
        min: new Date('0001-01-01'),
        max: new Date('9999-12-31'),
        noInvalidDate: true,
      }),
    }),
  ),
  { maxLength: 20 },
)

test('what is printed is read as it was', () => {
  fc.assert(
    fc.property(terms, (given) => {
      const printed = printFilter(given)
      expect(parseFilter(printed), printed).toEqual(given)
    }),
    { numRuns: 1_000 },
  )
})

test('of any text there are terms, or a place and what is wrong there', () => {
  const pieces = fc.oneof(
    fc.string(),
    fc.constantFrom('state:', 'label.', '"', '\\', ':', '-', ' ', 'age:<', '1h', 'failed', '*'),
  )
  fc.assert(
    fc.property(fc.array(pieces), (parts) => {
      const parsed = parseFilter(parts.join(''))
      if (isFilterFault(parsed)) {
        expect(parsed.position).toBeGreaterThan(0)
        expect(parsed.description).not.toBe('')
        expect(parsed.description.length).toBeLessThan(400)
      } else expect(parseFilter(printFilter(parsed))).toEqual(parsed)
    }),
    { numRuns: 2_000 },
  )
})

test('terms are read as the guide tells', () => {
  const said = `state:failed  -method:reports.* label.tenant:"a \\"b\\"" key:"" age:<90m created:>=2026-01-31`
  expect(parseFilter(said)).toEqual([
    { field: 'state', value: 'failed', not: false },
    { field: 'method', value: 'reports.*', not: true },
    { field: 'label', label: 'tenant', value: 'a "b"', not: false },
    { field: 'key', value: '', not: false },
    { field: 'age', op: '<', ms: 5_400_000 },
    { field: 'created', op: '>=', time: new Date('2026-01-31') },
  ])
})

test.each([
  ['failed', 1, /"?failed has no field; write field:value/],
  ['state:failed stat:x', 14, /stat is no field; there are state, method/],
  ['state:done', 1, /state must be one of scheduled, /],
  ['  age:1h', 3, /age must be < or >/],
  ['ended:<5x', 1, /such as ended:<1h/],
  ['age:<11000w', 1, /age must be at most ten years/],
  ['-age:<1h', 1, /turn < and > round/],
  ['created:>=2026-02-30', 1, /created must be >= or </],
  ['created:>=0000-01-01', 1, /created must be >= or </],
  ['key:', 1, /key: has no value; write key:""/],
  ['key:"open', 1, /has a quote in it/],
  ['key:a"b', 1, /has a quote in it/],
  ['label:x', 1, /label needs a name/],
  ['state.a:x', 1, /state has no parts/],
  ['parent:ABC', 1, /parent must be a job id/],
  ['method:a/b', 1, /method must be the name/],
  ['owner:""', 1, /owner is empty/],
  ['key:a\0b', 1, /key must not contain a NUL/],
  [`state:failed ${'key:a '.repeat(101)}`, 1, /key has more than 100 values/],
  ['x'.repeat(10_001), 1, /at most 10000 characters/],
])('%j is refused, with the place and what to do', (said, position, description) => {
  expect(parseFilter(said)).toMatchObject({
    position,
    description: expect.stringMatching(description),
  })
})
