import { expect, test } from 'vitest'
import type { JobRecord } from './job-record.ts'
import { tableOf } from './job-table.ts'

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5)
const ago = (ms: number) => new Date(NOW_MS - ms)

function job(fields: Partial<JobRecord>): JobRecord {
  const texts = { id: 'a', method: 'm', key: '', errorBrief: '' }
  const blank = { ...texts, state: 'queued', createTime: ago(90_000) }
  return { ...blank, ...fields } as JobRecord
}

function rowsOf(...jobs: JobRecord[]): string[][] {
  return tableOf(jobs, NOW_MS)
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
}

test('a header names the columns, and every column begins at the same place', () => {
  const table = tableOf([job({ id: 'short' }), job({ id: 'much-longer', key: 'k' })], NOW_MS)
  const [header = '', ...lines] = table.trimEnd().split('\n')
  expect(header).toMatch(/^JOB +STATE +CREATED +DURATION +PROGRESS +METHOD +KEY +NOTE$/)
  for (const line of lines) expect(line.indexOf('queued')).toBe(header.indexOf('STATE'))
})

test('a duration runs from the assignment to the end, or until now', () => {
  const completion = { finishTime: ago(1_000) } as JobRecord['completion']
  const durations = rowsOf(
    job({}),
    job({ state: 'running', startTime: ago(65_400) }),
    job({ state: 'succeeded', startTime: ago(1_250), completion }),
    job({ state: 'succeeded', startTime: ago(8_500), completion }),
    job({ state: 'running', startTime: ago(2 * 3_600_000 + 60_000) }),
    job({ state: 'running', startTime: ago(-500) }),
  ).map((row) => row[3])
  expect(durations).toEqual(['DURATION', '-', '1m5s', '250ms', '7.5s', '2h1m', '0ms'])
})

test('progress is shown with what is being done, and of a failure the brief on one line', () => {
  const [, running, failed] = rowsOf(
    job({
      state: 'running',
      progress: { percent: 41.7, text: 'reading' } as JobRecord['progress'],
    }),
    job({ state: 'failed', errorBrief: 'no\npaper' }),
  )
  expect(running).toEqual(expect.arrayContaining(['41 %', 'reading']))
  expect(failed?.slice(-2)).toEqual(['-', 'no paper'])
})
