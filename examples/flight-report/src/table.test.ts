import { expect, test } from 'vitest'
import type { DelayReport } from './report.ts'
import { renderReport } from './table.ts'

const delays = (flights: number, meanDelayMinutes: number, lateShare: number) => ({
  flights,
  meanDelayMinutes,
  lateShare,
})

const report: DelayReport = {
  ...delays(23_004, 4, 0.125),
  airports: [
    {
      airport: 'OSL',
      ...delays(12_004, 12.34, 0.25),
      months: [
        { month: '2001-01', ...delays(2_000, 9.99, 0.2) },
        { month: '2001-02', ...delays(10_000, -1, 0.1) },
        { month: '2001-07', ...delays(4, 400, 1) },
      ],
    },
    {
      airport: 'TOS',
      ...delays(1_000, 8, 0.2),
      months: [{ month: '2001-02', ...delays(1_000, 8, 0.2) }],
    },
    {
      airport: 'BGO',
      ...delays(10_000, 2, 0.1),
      months: [{ month: '2001-01', ...delays(10_000, 2, 0.1) }],
    },
  ],
}

test('the table shows the big airports, their months, and says what it leaves out', () => {
  expect(renderReport(report).split('\n')).toEqual([
    'Mean delay in minutes by origin airport and month of departure: how late the flights that left it',
    'arrived, early ones counted as negative (the data set keeps no other delay); late: by 15 minutes or more',
    'The 2 highest of the airports with 10,000 flights or more',
    '',
    'origin  flights    late  mean  2001-01  2001-02',
    '------  -------  ------  ----  -------  -------',
    'OSL      12,004  25.0 %  12.3     10.0     -1.0',
    'BGO      10,000  10.0 %   2.0      2.0        -',
    '',
    'all 3 airports: 23,004 flights, mean 4.00 min, 12.5 % late',
    '(2001-07 has 4 flights in all, and no column)',
  ])
})

test('the table shows as many airports as asked for', () => {
  const text = renderReport(report, { airports: 1, flightsMin: 1 })
  expect(text).toContain('The 1 highest of the airports with 1 flights or more')
  expect(text).not.toContain('TOS')
})
