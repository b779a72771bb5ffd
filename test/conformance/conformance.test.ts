/** Our executor keeps to docs/executor-protocol.md, and what that promises of the suite is so. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { programOf } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { allFaults, type Report, runSuite, SCENARIOS } from './suite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const SUITE = { timeout: 240_000 }

test(
  'our own executor keeps to every rule of the protocol that the suite holds',
  SUITE,
  async () => {
    const environment = {
      OFFSTAGE_JOBS: `${root}test/conformance/jobs.ts`,
      OFFSTAGE_EXECUTOR_PORT: '0',
      OFFSTAGE_EXECUTOR_INLINE_SLOTS: '8',
      OFFSTAGE_EXECUTOR_TASK_SLOTS: '1',
    }
    const set = Object.entries(environment).map(([name, value]) => `${name}='${value}'`)
    const main = programOf(`${root}services/executor/src/main.ts`)
    const executor = `env ${set.join(' ')} '${process.execPath}' '${main}'`
    expect(await allFaults(executor)).toEqual([])
  },
)

test('an executor that does not even start fails every scenario, with what it wrote', async () => {
  const reports: Report[] = []
  for await (const report of runSuite({
    executor: 'sh -c "echo I cannot; exit 3"',
    only: ['1.1', '7.1'],
  })) {
    reports.push(report)
  }
  expect(reports.map(({ number }) => number)).toEqual(['1.1', '7.1'])
  for (const { fault, output } of reports) {
    expect(fault).toMatch(/^the process ended \(exit code 3\) before it attached/)
    expect(output).toContain('I cannot')
  }
})

test('the page on the protocol tells every scenario by its number', async () => {
  const page = await readFile(`${root}docs/executor-protocol.md`, 'utf8')
  const told = [...page.matchAll(/^\| (\d+\.\d+) \| (.+) \|$/gm)].map(([, number, title]) => ({
    number,
    title,
  }))
  expect(told).toEqual(SCENARIOS.map(({ number, title }) => ({ number, title })).toSorted(byNumber))
})

function byNumber(a: { readonly number: string }, b: { readonly number: string }): number {
  return a.number.localeCompare(b.number, 'en', { numeric: true })
}
