import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import type { JobHandle } from '../client/job-handle.ts'
import type { Offstage } from '../client/offstage.ts'
import { defineMethod } from './define-method.ts'
import { defineJob, isJobDefinition, type JobDefinition } from './definition.ts'
import type { JobMethod, ParamsOf, ResultOf } from './method.ts'

const report = defineMethod({
  method: 'reports.delays',
  params: z.object({ dataSet: z.string(), top: z.number().default(20) }),
  result: z.object({ flights: z.number() }),
  lane: 'work',
})

describe('a method without its handler', () => {
  test('is frozen, and no job: an executor that loads it registers nothing', () => {
    expect(Object.isFrozen(report)).toBe(true)
    expect(isJobDefinition(report)).toBe(false)
  })

  test('is checked as a job is, naming the field', () => {
    expect(() => defineMethod({ method: 'a..b' })).toThrow(/^method /)
    expect(() => defineMethod({ method: 'a', retry: { jitter: 2 } })).toThrow('job a: retry.jitter')
    // @ts-expect-error: plain JavaScript may name any role
    expect(() => defineMethod({ method: 'a', startableBy: { roles: ['boss'] } })).toThrow(
      'job a: startableBy.roles',
    )
    expect(() => defineMethod({ method: 'a', startableBy: { users: [''] } })).toThrow(
      'job a: startableBy.users',
    )
    expect(() => defineMethod({ method: 'a', startableBy: {} })).toThrow(
      'job a: startableBy must name roles or users',
    )
    for (const [limits, fault] of [
      [[{ concurrencyMax: 0 }], 'limits[0].concurrencyMax must be a whole number from 1'],
      [[{ rate: { count: 1, burst: 0.5 } }], 'limits[0].rate.burst must be a whole number'],
      [[{ rate: { count: 1, periodMs: 0 } }], 'limits[0].rate.periodMs must be from 1'],
      [[{ queuedMax: 1 }, {}], 'limits[1] limits nothing'],
      [[{ queuedMax: 1 }, { concurrencyMax: 1 }], 'limits must be one for the method as a whole'],
      [[{ per: 'x'.repeat(1_001) }], 'limits[0].per must be a text of at most'],
    ] as const) {
      expect(() => defineMethod({ method: 'a', limits })).toThrow(`job a: ${fault}`)
    }
    // @ts-expect-error: plain JavaScript may misspell a field
    expect(() => defineMethod({ method: 'a', limits: [{ max: 1 }] })).toThrow(
      'job a: limits[0].max is not one of per, concurrencyMax, rate, queuedMax',
    )
    // @ts-expect-error: plain JavaScript may say anything
    expect(() => defineMethod({ method: 'a', privileged: 'yes' })).toThrow('job a: privileged')
  })

  test.each([
    ['beside it', defineJob(report, async () => ({ flights: 3 }))],
    ['spread', defineJob({ ...report, run: async () => ({ flights: 3 }) })],
  ])('becomes a job with a handler given %s, and keeps its defaults', async (_, job) => {
    expect(isJobDefinition(job)).toBe(true)
    expect(job).toMatchObject({ ...report, kind: 'offstage.job' })
    expectTypeOf(job).toEqualTypeOf<
      JobDefinition<
        { dataSet: string; top: number },
        { flights: number },
        { dataSet: string; top?: number | undefined }
      >
    >()
  })

  test('with something else than a handler is refused', () => {
    // @ts-expect-error: plain JavaScript may leave it out
    expect(() => defineJob(report)).toThrow('job reports.delays: run must be a function')
  })
})

describe('types of methods', () => {
  test('follow from the schemas, or are named where there are none', () => {
    expectTypeOf<ParamsOf<typeof report>>().toEqualTypeOf<{
      dataSet: string
      top?: number | undefined
    }>()
    expectTypeOf<ResultOf<typeof report>>().toEqualTypeOf<{ flights: number }>()
    const named = defineMethod<{ n: number }, string>({ method: 'a' })
    expectTypeOf(named).toEqualTypeOf<JobMethod<{ n: number }, string>>()
    defineJob(named, (_job, params) => {
      expectTypeOf(params).toEqualTypeOf<{ n: number }>()
      return 'x'
    })
    // @ts-expect-error: the method says it gives a text
    defineJob(named, () => 5)
  })

  test('let the result follow from the handler where the method says nothing of it', () => {
    const job = defineJob(defineMethod({ method: 'a' }), async () => 5)
    expectTypeOf(job).toEqualTypeOf<JobDefinition<void, number>>()
    expectTypeOf<ResultOf<typeof job>>().toEqualTypeOf<number>()
  })

  test('check the parameters of a start by method, and by name with the type of the job', () => {
    const job = defineJob(report, async () => ({ flights: 3 }))
    // Compiled, never called: the types are what is looked at.
    async function starts(client: Offstage): Promise<void> {
      const params = { dataSet: 'a' }
      type Report = JobHandle<{ flights: number }>
      expectTypeOf(await client.startJob(report, params)).toEqualTypeOf<Report>()
      const byName = await client.startJob<typeof job>('reports.delays', params, { key: 'a' })
      expectTypeOf(byName).toEqualTypeOf<Report>()
      const many = await client.startJobs<typeof job>('reports.delays', [params])
      expectTypeOf(many).toEqualTypeOf<Report[]>()
      expectTypeOf(await client.run<typeof job>('a', params)).toEqualTypeOf<{ flights: number }>()
      const all = await client.runAll<typeof job>('reports.delays', [params])
      expectTypeOf(all).toEqualTypeOf<{ flights: number }[]>()
      // @ts-expect-error: dataSet is a text
      await client.startJob(report, { dataSet: 5 })
      // @ts-expect-error: dataSet is a text
      await client.startJob<typeof job>('reports.delays', { dataSet: 5 })
      // @ts-expect-error: dataSet is missing
      await client.startJob<typeof job>('reports.delays')
      // @ts-expect-error: dataSet is a text
      await client.startJobs<typeof job>('reports.delays', [{ dataSet: 5 }])
      // @ts-expect-error: dataSet is a text
      await client.startJobsSettled<typeof job>('reports.delays', [{ dataSet: 5 }])
      // @ts-expect-error: dataSet is a text
      await client.run<typeof job>('reports.delays', { dataSet: 5 })
      // @ts-expect-error: dataSet is a text
      await client.runAll<typeof job>('reports.delays', [{ dataSet: 5 }])
    }
    expectTypeOf(starts).toBeFunction()
  })

  test('of a start by a bare name are the caller’s to say', () => {
    async function starts(client: Offstage): Promise<void> {
      expectTypeOf(await client.startJob('a', 5)).toEqualTypeOf<JobHandle<unknown>>()
      expectTypeOf(await client.startJob<number>('a')).toEqualTypeOf<JobHandle<number>>()
      const said: JobHandle<string> = await client.startJob('a')
      expectTypeOf(await said.value()).toEqualTypeOf<string>()
    }
    expectTypeOf(starts).toBeFunction()
  })
})

test('labels by expressions are looked at where they are written', () => {
  const define = (labels: object) => () => defineMethod({ method: 'm', labels: labels as never })
  expect(define({ tenant: 'params.tenant' })).not.toThrow()
  expect(define({ tenant: '' })).toThrow('labels[tenant] must be a CEL expression')
  expect(define({ tenant: () => 1 })).toThrow('labels[tenant] must be a CEL expression')
  expect(define({ tenant: 'x'.repeat(1_001) })).toThrow('labels[tenant]')
  expect(define({ '': 'owner' })).toThrow('labels[] must have a key')
  expect(define(['owner'])).toThrow('labels must be a function, or expressions by label')
})
