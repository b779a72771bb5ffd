import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import * as client from './client/mod.ts'
import * as idle from './idle/mod.ts'
import * as jobs from './jobs/mod.ts'
import * as main from './mod.ts'
import * as runs from './runs/mod.ts'
import * as values from './values/mod.ts'

test('the main entry has the few names people use daily, types included', async () => {
  expect(Object.keys(main).sort()).toEqual([
    'JobCanceledError',
    'JobFailedError',
    'JobHandle',
    'NonRetryableError',
    'Offstage',
    'OffstageError',
    'StartJobsError',
    'byteStream',
    'defineJob',
    'defineMethod',
    'defineSchedule',
    'idleHandlers',
    'refreshReusableValues',
    'reusable',
    'runInScope',
  ])
  const source = await readFile(new URL('mod.ts', import.meta.url), 'utf8')
  const types = [...source.matchAll(/\btype (\w+)/g)].map(([, name]) => name)
  expect(types.sort()).toEqual([
    'Completion',
    'ConnectOptions',
    'JobContext',
    'JobDefinition',
    'JobInfo',
    'JobMethod',
    'JobStateName',
    'ParamsOf',
    'Received',
    'ResultOf',
    'ScheduleDefinition',
    'StartOptions',
    'StartOutcome',
    'StoredValue',
    'WaitAnswer',
  ])
})

test('what the main entry has is at a subpath too, with all that goes with it', () => {
  const { OffstageError: _, ...others } = main
  expect({ ...client, ...jobs, ...idle, ...runs, ...values }).toMatchObject(others)
})

test('each subpath that is exported is there, and none for tests is', async () => {
  const url = new URL('../package.json', import.meta.url)
  const { exports } = JSON.parse(await readFile(url, 'utf8'))
  const subpaths = Object.keys(exports)
  expect(subpaths).toEqual([
    ...[
      '.',
      './client',
      './grpc',
      './idle',
      './jobs',
      './leaks',
      './runs',
      './sql',
      './tiers',
      './transactions',
    ],
    './values',
  ])
  for (const path of Object.values<string>(exports)) {
    expect(await import(new URL(`../${path}`, import.meta.url).href)).toBeTypeOf('object')
  }
})
