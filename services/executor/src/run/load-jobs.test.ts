import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { loadJobs } from './load-jobs.ts'

const job = (method: string) => `{ kind: 'offstage.job', method: '${method}', run() {} }`

/** A folder with these files, removed at the end of the test. */
async function folderOf(files: Record<string, string>) {
  const path = await mkdtemp(join(tmpdir(), 'jobs-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), text)
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

test('definitions are found in files and folders, alone and in arrays', async () => {
  await using folder = await folderOf({
    'a.mjs': `export const a = ${job('a')}; export const other = 1`,
    'deep/b.mjs': `export default [${job('b')}, ${job('c')}]`,
    'deep/d.test.mjs': 'throw new Error("a test is no module of jobs")',
    '.hidden/e.mjs': 'throw new Error("hidden")',
    'node_modules/f/index.mjs': 'throw new Error("somebody else\'s")',
    'gather.mjs': `export * from './a.mjs'`,
  })
  expect([...(await loadJobs([folder.path])).jobs.keys()].sort()).toEqual(['a', 'b', 'c'])
  expect([...(await loadJobs([join(folder.path, 'a.mjs')])).jobs.keys()]).toEqual(['a'])
})

test('a method that is defined twice is refused, naming both places', async () => {
  await using folder = await folderOf({
    'one.mjs': `export const a = ${job('twice')}`,
    'two.mjs': `export const a = ${job('twice')}`,
  })
  await expect(loadJobs([folder.path])).rejects.toThrow(/twice is defined in .*one\.mjs.*two\.mjs/)
})

test.each([
  ['a path that does not exist', 'missing', 'cannot find the job modules at'],
  ['a folder without definitions', 'empty', 'no job definitions'],
  ['a module that throws', 'bad', 'cannot import the job module'],
])('%s is refused by name', async (_what, name, text) => {
  await using folder = await folderOf({
    'empty/x.mjs': 'export const x = 1',
    'bad/x.mjs': 'throw new Error("at import")',
  })
  await expect(loadJobs([join(folder.path, name)])).rejects.toThrow(text)
})
