/** While executors differ in the schema of a method, jobs are kept from those that would fail them (misplaced.ts). */
import { expect, test } from 'vitest'
import type { FoundMethod } from '../domain/known-method.ts'
import { claimedJob } from '../testing/attachment.ts'
import { withoutMisplaced } from './misplaced.ts'

const SCHEMAS = new Map([['test.job', 'mine']])
const jobs = [
  claimedJob('plain', 'a'),
  { ...claimedJob('other', 'a'), options: { misfits: ['theirs'] } },
  { ...claimedJob('misfit', 'a'), options: { misfits: ['mine'] } },
]
const terms = { name: 'test.job' } as Extract<FoundMethod, { name: string }>

async function place(find: () => Promise<FoundMethod | undefined>) {
  const errors: unknown[] = []
  const options = { methods: { find }, onError: (error: unknown) => errors.push(error) }
  const { kept, misplaced } = await withoutMisplaced(options, SCHEMAS, jobs)
  const ids = { kept: kept.map(({ id }) => id), misplaced: misplaced.map(({ jobId }) => jobId) }
  return { ...ids, errors }
}

test('a job that does not fit the schema of its executor goes back where others were announced elsewhere a moment ago', async () => {
  const found = await place(async () => ({ ...terms, earlierParamsSchemas: ['{}'] }))
  expect(found).toEqual({ kept: ['plain', 'other'], misplaced: ['misfit'], errors: [] })
})

test('a job that fits nobody who is left goes to whoever is there', async () => {
  expect(await place(async () => terms)).toEqual({
    kept: ['plain', 'other', 'misfit'],
    misplaced: [],
    errors: [],
  })
})

test('where the database cannot tell, a job that does not fit goes back and is not failed', async () => {
  const error = new Error('Connection terminated unexpectedly')
  const found = await place(() => Promise.reject(error))
  expect(found).toEqual({ kept: ['plain', 'other'], misplaced: ['misfit'], errors: [error] })
})
