import { resolve } from 'node:path'
import { ConfigError } from '@offstage/kit/config'
import { expect, test } from 'vitest'
import { readExecutorConfig } from './config.ts'

test('only the job modules have to be given', () => {
  expect(readExecutorConfig({ OFFSTAGE_JOBS: 'jobs, more/jobs.ts' })).toMatchObject({
    jobs: [resolve('jobs'), resolve('more/jobs.ts')],
    scheduler: '127.0.0.1:7701',
    storage: '127.0.0.1:7702',
    namespace: 'default',
    port: 7703,
    inlineSlots: 1_000,
    workSlots: 4,
    drainGraceMs: 20_000,
  })
})

test('all faults are told at once, by variable', () => {
  const env = { OFFSTAGE_EXECUTOR_INLINE_SLOTS: '200000', OFFSTAGE_EXECUTOR_DRAIN_GRACE: 'soon' }
  try {
    readExecutorConfig(env)
    expect.unreachable()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    const variables = (error as ConfigError).faults.map(({ variable }) => variable)
    expect(variables.sort()).toEqual([
      'OFFSTAGE_EXECUTOR_DRAIN_GRACE',
      'OFFSTAGE_EXECUTOR_INLINE_SLOTS',
      'OFFSTAGE_JOBS',
    ])
  }
})

test.for([
  ['gpu,,a', /pools separated by commas/],
  ['gpu,a b', /pools separated by commas/],
  ['gpu,gpu', /gpu twice/],
] as const)(
  'pools that are none are refused, naming the variable: %s',
  ([OFFSTAGE_POOLS, problem]) => {
    const env = { OFFSTAGE_JOBS: './jobs', OFFSTAGE_POOLS }
    expect(() => readExecutorConfig(env)).toThrow(/OFFSTAGE_POOLS/)
    expect(() => readExecutorConfig(env)).toThrow(problem)
  },
)
