/** Runs the examples of the guide, in TypeScript and Python, against services with the jobs that it defines. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { hasPrograms } from './testing/has-programs.ts'
import { madeOnce } from './testing/made-once.ts'
import { filesOf, openPlayground, type Playground, ROOT, SCRATCH } from './testing/playground.ts'

const PAGE = 'docs/guides/values.md'
/** Kept: Python is fetched what it needs the first time. */
const PYTHON = join(SCRATCH, 'values-python')

let it: Playground
beforeAll(async () => {
  it = await openPlayground(await filesOf(PAGE, 'example.ts'), ['jobs.ts'])
})
afterAll(() => it?.[Symbol.asyncDispose]())

test('the example of values beyond JSON does what it says', async () => {
  const { 'example.ts': example } = await filesOf(PAGE, 'example.ts')
  expect(example).toMatch(/assert\.\w+\(/)
  await it.run('example.ts')
})

test.runIf(hasPrograms('python3'))(
  'Python starts a job with CBOR and reads CBOR, as the page says',
  { timeout: 600_000 },
  async () => {
    const [install = ''] = (await blocksOf('docs/guides/plain-grpc.md', 'sh')).filter((code) =>
      code.startsWith('python3 -m venv'),
    )
    const [add = ''] = await blocksOf(PAGE, 'sh')
    const [program = ''] = await blocksOf(PAGE, 'python')
    expect(program).toContain('assert ')
    await mkdir(PYTHON, { recursive: true })
    await writeFile(join(PYTHON, 'values.py'), program)
    const lines = `${await madeOnce(install + add)}venv/bin/python values.py`
    await it.shell(lines, { cwd: PYTHON, env: { OFFSTAGE: ROOT }, timeoutMs: 590_000 })
  },
)
