import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const script = fileURLToPath(new URL('closing-line.ts', import.meta.url))

/** The last line and the exit code for a report; without one, for a report that is not there. */
async function closing(report?: object): Promise<{ line?: string; code: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-closing-'))
  const path = join(folder, 'report.json')
  try {
    if (report !== undefined) await writeFile(path, JSON.stringify(report))
    return await new Promise((resolve) => {
      execFile(process.execPath, [script, path], (error, stdout) =>
        resolve({ line: stdout.trimEnd().split('\n').at(-1), code: Number(error?.code ?? 0) }),
      )
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const file = (status: string, ...tests: readonly string[]) => ({
  status,
  assertionResults: tests.map((each) => ({ status: each })),
})

test('a run in which all is well is closed with its count', async () => {
  const report = { success: true, numPassedTests: 2, numFailedTests: 0 }
  const testResults = [file('passed', 'passed', 'passed')]
  expect(await closing({ ...report, testResults })).toEqual({ line: '2 passed, 0 failed', code: 0 })
})

test('a failed test fails the run', async () => {
  const report = { success: false, numPassedTests: 1, numFailedTests: 1 }
  const testResults = [file('failed', 'passed', 'failed')]
  expect(await closing({ ...report, testResults })).toEqual({ line: '1 passed, 1 failed', code: 1 })
})

test('a test file that could not be loaded is a failure', async () => {
  const report = { success: false, numPassedTests: 1, numFailedTests: 0 }
  const testResults = [file('passed', 'passed'), file('failed')]
  expect(await closing({ ...report, testResults })).toEqual({ line: '1 passed, 1 failed', code: 1 })
})

test('a run that failed beside its tests is a failure', async () => {
  const report = { success: false, numPassedTests: 1, numFailedTests: 0 }
  const testResults = [file('passed', 'passed')]
  expect(await closing({ ...report, testResults })).toEqual({ line: '1 passed, 1 failed', code: 1 })
})

test('a run without a test or without a report is a failure', async () => {
  const none = { success: true, numPassedTests: 0, numFailedTests: 0, testResults: [] }
  expect((await closing(none)).code).toBe(1)
  expect(await closing()).toEqual({ line: '0 passed, 1 failed', code: 1 })
})
