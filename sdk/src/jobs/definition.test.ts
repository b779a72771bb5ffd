import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { defineJob, isJobDefinition, type JobDefinition } from './definition.ts'

const run = () => {}

describe('a definition', () => {
  test('is frozen and recognized among the exports of a module', () => {
    const job = defineJob({ method: 'reports.build', run })
    expect(Object.isFrozen(job)).toBe(true)
    const exports: unknown[] = [job, run, null, 'reports.build', { method: 'reports.build', run }]
    expect(exports.filter(isJobDefinition)).toEqual([job])
  })

  test.each(['', '.', 'a..b', 'a.', 'grüße', 'a b', 'x'.repeat(201)])(
    'with the method name "%s" is refused when it is defined',
    (method) => {
      expect(() => defineJob({ method, run })).toThrow(/^method /)
    },
  )

  test.each(['a', 'reports.build', 'A_1.b-2.c', 'x'.repeat(200)])(
    'with the method name "%s" is accepted',
    (method) => {
      expect(defineJob({ method, run }).method).toBe(method)
    },
  )

  test.each([
    ['retry.maxAttempts', { retry: { maxAttempts: 0 } }],
    ['retry.maxAttempts', { retry: { maxAttempts: 1.5 } }],
    ['retry.backoffMultiplier', { retry: { backoffMultiplier: 0.5 } }],
    ['retry.jitter', { retry: { jitter: 1.1 } }],
    ['retry.initialBackoffMs', { retry: { initialBackoffMs: Number.NaN } }],
    ['deadlines.attemptMs', { deadlines: { attemptMs: 0 } }],
    ['description', { description: 'x'.repeat(1001) }],
  ])('with a wrong %s is refused by name', (field, extra) => {
    expect(() => defineJob({ method: 'a', run, ...extra })).toThrow(`job a: ${field}`)
  })

  test('in an unknown lane or with something that is no schema is refused', () => {
    // @ts-expect-error: plain JavaScript may pass anything
    expect(() => defineJob({ method: 'a', lane: 'fast', run })).toThrow('job a: lane')
    // @ts-expect-error: plain JavaScript may pass anything
    expect(() => defineJob({ method: 'a', params: {}, run })).toThrow('job a: params')
    // @ts-expect-error: plain JavaScript may leave it out
    expect(() => defineJob({ method: 'a' })).toThrow('job a: run')
  })
})

describe('types', () => {
  test('follow from the schemas: run gets the output, callers pass the input', () => {
    const job = defineJob({
      method: 'a',
      params: z.object({ top: z.number().default(20) }),
      result: z.object({ flights: z.number() }),
      run: async (_job, params) => {
        expectTypeOf(params).toEqualTypeOf<{ top: number }>()
        return { flights: params.top }
      },
    })
    expectTypeOf(job).toEqualTypeOf<
      JobDefinition<{ top: number }, { flights: number }, { top?: number | undefined }>
    >()
  })

  test('follow from run where there are no schemas', () => {
    const job = defineJob({ method: 'a', run: async (_job, params: { n: number }) => params.n * 2 })
    expectTypeOf(job).toEqualTypeOf<JobDefinition<{ n: number }, number>>()
    const procedure = defineJob({ method: 'a', async run() {} })
    expectTypeOf(procedure).toEqualTypeOf<JobDefinition<void, void>>()
  })

  test('do not let run return what the result schema does not allow', () => {
    const result = z.object({ flights: z.number() })
    // @ts-expect-error: flights is a number
    defineJob({ method: 'a', result, run: async () => ({ flights: 'many' }) })
  })

  test('let definitions of all kinds stand in one list', () => {
    const job = defineJob({ method: 'a', run: (_job, params: { n: number }) => params.n })
    const definitions: JobDefinition[] = [job, defineJob({ method: 'b', run })]
    expect(definitions.every(isJobDefinition)).toBe(true)
  })
})
