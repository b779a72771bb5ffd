/** Runs the examples that come in files of their own against services with the jobs that they define. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { filesOf, openPlayground, type Playground } from './testing/playground.ts'

let it: Playground
beforeAll(async () => {
  const jobs = ['streams.ts', 'totals.ts', 'attached.ts']
  it = await openPlayground(await filesOf('docs/guides/writing-jobs.md'), jobs)
})
afterAll(() => it?.[Symbol.asyncDispose]())

test('the example of streams does what it says', async () => {
  const csv = 'AA,1,late\n'.repeat(500_000)
  await writeFile(join(it.folder, 'flights.csv.gz'), gzipSync(csv))
  await it.run('send.ts')
  expect(await readFile(join(it.folder, 'flights.csv'), 'utf8')).toBe(csv)
}, 120_000)

test('a handler writes its result where the caller has reserved an address, and its additional result is at another one', async () => {
  await it.run('read-totals.ts')
}, 60_000)

test('a job ends with the last of its attached children', async () => {
  await it.run('send-all.ts')
}, 60_000)

test('a job runs in the process of its caller', async () => {
  expect(await it.run('in-process.ts')).toBe('true\n')
}, 60_000)
