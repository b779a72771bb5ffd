/** Runs the example of the guide as it stands. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'

/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = fileURLToPath(new URL('../../.offstage/', import.meta.url))

test('the example of a section that leaks does what it says', async () => {
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  await using _removed = { [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
  const [, inPlace = ''] = await blocksOf('docs/guides/leaks.md', 'ts')
  expect(inPlace).toContain('assert.')
  await writeFile(join(cwd, 'section.ts'), inPlace)
  await promisify(execFile)(process.execPath, ['section.ts'], { cwd })
})
