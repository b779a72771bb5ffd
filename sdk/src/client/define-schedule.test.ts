import { DeclaredSchedule } from '@offstage/proto/executor'
import { OverlapPolicy } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineJob } from '../jobs/definition.ts'
import { declarationOf, defineSchedule, isScheduleDefinition } from './define-schedule.ts'

const report = defineJob({
  method: 'reports.nightly',
  params: z.object({ top: z.number().int() }),
  run: (_job, { top }) => top,
})
const nightly = { id: 'nightly', job: report, params: { top: 1 }, cron: '0 2 * * *' }

test('a definition is frozen, told from other exports, and has version 1 where it says none', () => {
  const definition = defineSchedule(nightly)
  expect(definition).toMatchObject({ kind: 'offstage.schedule', version: 1 })
  expect(Object.isFrozen(definition)).toBe(true)
  expect([definition, nightly, report, null].map(isScheduleDefinition)).toEqual([
    ...[true, false, false, false],
  ])
})

test('it is declared with all it says, as the messages of the contract have it', async () => {
  const definition = defineSchedule({
    ...{ ...nightly, version: 3, paused: true, runAs: 'ann', key: { day: 1 }, labels: { a: 'b' } },
    ...{ timeZone: 'Europe/Berlin', exclude: ['* * 24 12 *'], overlap: 'queue-one', jitterMs: 5 },
  })
  const said = DeclaredSchedule.decode(await declarationOf(definition))
  expect(said).toMatchObject({
    ...{ version: 3, paused: true },
    schedule: {
      ...{ scheduleId: 'nightly', runAs: 'ann', timeZone: 'Europe/Berlin' },
      ...{ excludedCrons: ['* * 24 12 *'], overlapPolicy: OverlapPolicy.OVERLAP_POLICY_QUEUE_ONE },
      timing: { $case: 'cron', value: '0 2 * * *' },
      job: { method: 'reports.nightly', labels: { a: 'b' }, key: expect.stringContaining('day') },
    },
  })
  const removed = await declarationOf(defineSchedule({ id: 'nightly', version: 4, removed: true }))
  expect(DeclaredSchedule.decode(removed)).toMatchObject({
    version: 4,
    removed: true,
    schedule: { scheduleId: 'nightly' },
  })
})

test('parameters that do not fit the job, or are too large, cannot be declared', async () => {
  const wrong = defineSchedule({ ...nightly, params: { top: 1.5 } })
  await expect(declarationOf(wrong)).rejects.toMatchObject({ reason: 'PARAMS_INVALID' })
  const any = defineJob({ method: 'any', run: (_job, text: string) => text })
  const large = defineSchedule({ id: 'a', job: any, params: 'x'.repeat(70_000), intervalMs: 1_000 })
  await expect(declarationOf(large)).rejects.toThrow('schedules keep 65536 at most')
})

test.each<[string, Record<string, unknown>, string]>([
  ['no id', { id: undefined }, 'defineSchedule needs an id'],
  ['an empty id', { id: '' }, 'id must be a text that is not empty'],
  ['a version of 0', { version: 0 }, 'version must be a whole number from 1'],
  ['a version that is a text', { version: '2' }, 'version must be a whole number'],
  ['no job', { job: undefined }, 'schedule nightly: job must be made by defineJob'],
  ['the name of a job', { job: 'a' }, 'schedule nightly: job must be made by defineJob'],
  ['no times', { cron: undefined }, 'schedule nightly: give cron or intervalMs'],
  ['both kinds of times', { intervalMs: 1_000 }, 'cron and intervalMs exclude each other'],
  ['an interval below a second', { cron: undefined, intervalMs: 999 }, 'intervalMs must be'],
  ['an option there is not', { zone: 'UTC' }, 'defineSchedule has no option zone'],
  ['removed: false', { removed: false }, 'removed must be true, or left out'],
  ['removed beside a job', { removed: true }, 'one that is removed has no job'],
])('%s is refused where it is defined', (_, given, text) => {
  expect(() => defineSchedule({ ...nightly, ...given } as never)).toThrow(text)
})

test('parameters of another type do not compile', () => {
  // @ts-expect-error top is a number
  defineSchedule({ ...nightly, params: { top: 'x' } })
})
