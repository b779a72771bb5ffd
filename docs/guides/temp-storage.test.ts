/** Runs the snippets of the guide, each in a process of its own, against services. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { openPlayground, type Playground } from './testing/playground.ts'

const snippets = await blocksOf('docs/guides/temp-storage.md', 'ts')
const fileOf = (index: number) => `snippet-${index + 1}.ts`

let it: Playground
beforeAll(async () => {
  it = await openPlayground(
    Object.fromEntries(snippets.map((code, index) => [fileOf(index), code])),
  )
})
afterAll(() => it?.[Symbol.asyncDispose]())

test('the guide has snippets, each with an assertion', () => {
  expect(snippets.length).toBeGreaterThan(0)
  for (const code of snippets) expect(code).toMatch(/\bassert\b.*\(/)
})

test.for(snippets.map((_code, index) => fileOf(index)))('%s does what it says', async (file) => {
  await it.run(file)
})
