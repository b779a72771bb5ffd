/**
 * Prints `N passed, N failed` from the JSON report of a test run, and fails unless all is well. A
 * test file that could not be loaded counts as one failure, and so does a run without a report or
 * one that failed for another reason.
 */
import { readFile } from 'node:fs/promises'

/** What is used of Vitest's JSON report. */
interface Report {
  readonly success: boolean
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

const NO_REPORT: Report = { success: false, numPassedTests: 0, numFailedTests: 0, testResults: [] }

const report = await readReport(process.argv[2] ?? '.offstage/test-report.json')
const unloaded = report.testResults.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && assertionResults.every((each) => each.status !== 'failed'),
)
const counted = report.numFailedTests + unloaded.length
const failed = report.success ? counted : Math.max(1, counted)
console.log(`${report.numPassedTests} passed, ${failed} failed`)
process.exitCode = failed === 0 && report.numPassedTests > 0 ? 0 : 1

async function readReport(path: string): Promise<Report> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    console.log(`no report of the tests: ${error instanceof Error ? error.message : error}`)
    return NO_REPORT
  }
}
