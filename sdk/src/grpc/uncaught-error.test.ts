import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'

const sdk = import.meta.resolve('../mod.ts')

/** What Node prints of an error that nobody caught, in a program that begins with an import of the SDK. */
async function printedBy(lines: readonly string[]): Promise<{ printed: string; file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-uncaught-'))
  try {
    const path = join(folder, 'program.ts')
    await writeFile(path, [`import { Offstage } from ${JSON.stringify(sdk)}`, ...lines].join('\n'))
    const printed = await new Promise<string>((resolve) => {
      execFile(process.execPath, [path], (_error, _stdout, stderr) => resolve(stderr))
    })
    return { printed, file: pathToFileURL(path).href }
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('an error of the SDK that nobody caught is printed with the frames of the caller alone', async () => {
  const { printed, file } = await printedBy([
    'async function connect() {',
    "  return await Offstage.connect({ scheduler: '127.0.0.1:1' })",
    '}',
    'await connect()',
  ])
  expect(printed).toContain('OffstageError: cannot reach the scheduler at 127.0.0.1:1')
  expect(printed.match(/^ +at .*$/gm)).toEqual([
    expect.stringContaining(`at async connect (${file}:3:`),
    expect.stringContaining(`at async ${file}:5:`),
  ])
  expect(printed).toContain("reason: 'SERVICE_UNREACHABLE'")
  expect(printed.trim().split('\n').length).toBeLessThan(16)
})
