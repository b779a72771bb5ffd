/**
 * Runs every TypeScript snippet of the SDK's guide pages as a module of its own, so that what they
 * show works. A snippet proves itself by assertions. It runs in a fresh process: nothing left over
 * by another can help it.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const GUIDES = ['reusable-values.md', 'idle-handlers.md']
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = fileURLToPath(new URL('../.offstage/', import.meta.url))

interface Snippet {
  readonly line: number
  readonly code: string
}

function snippetsOf(page: string): Snippet[] {
  return [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => ({
    line: page.slice(0, match.index).split('\n').length + 1,
    code: match[1] ?? '',
  }))
}

async function run({ code, line }: Snippet): Promise<void> {
  await mkdir(SCRATCH, { recursive: true })
  const folder = await mkdtemp(`${SCRATCH}guide-`)
  try {
    const file = `${folder}/line-${line}.ts`
    await writeFile(file, code)
    await promisify(execFile)(process.execPath, [file], { timeout: 20_000 })
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe.each(GUIDES)('%s', async (guide) => {
  const page = await readFile(new URL(`../../docs/guides/${guide}`, import.meta.url), 'utf8')
  const snippets = snippetsOf(page)

  test('has snippets, each with an assertion', () => {
    expect(snippets.length).toBeGreaterThan(0)
    for (const { code } of snippets) expect(code).toMatch(/\bassert\b.*\(/)
  })

  test.for(snippets)('the snippet at line $line does what it says', { concurrent: true }, run)
})

test('a snippet whose assertion fails fails its test', async () => {
  const code = "import assert from 'node:assert/strict'\nassert.equal(1, 2)\n"
  await expect(run({ code, line: 1 })).rejects.toThrow('AssertionError')
})
