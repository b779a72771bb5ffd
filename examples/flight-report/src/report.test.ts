import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { beforeAll, describe, expect, test } from 'vitest'
import { countRowGroups, FLIGHTS, readRowGroup } from './flights.ts'
import { type Cell, type DelayReport, summarizeCells, tallyFlights } from './report.ts'

const flight = (origin: string, departure: string, delay: number) => ({ origin, departure, delay })

function tally(...flights: ReturnType<typeof flight>[]): Cell[] {
  return tallyFlights({
    origin: flights.map((f) => f.origin),
    departure: flights.map((f) => new Date(`${f.departure}Z`)),
    delayMinutes: flights.map((f) => BigInt(f.delay)),
  })
}

test('early flights count as negative, and late ones from 15 minutes on', () => {
  const cells = tally(
    flight('OSL', '2001-01-31T23:59', -5),
    flight('OSL', '2001-01-01T00:00', 14),
    flight('OSL', '2001-01-15T12:00', 15),
  )
  expect(cells).toEqual([
    { airport: 'OSL', month: '2001-01', flights: 3, delayMinutes: 24, lateFlights: 1 },
  ])
})

test('a flight belongs to the month it left in', () => {
  const cells = tally(
    flight('OSL', '2000-12-31T23:59', 1),
    flight('OSL', '2001-01-01T00:00', 2),
    flight('OSL', '2001-12-01T00:00', 3),
  )
  expect(cells.map((cell) => [cell.month, cell.delayMinutes])).toEqual([
    ['2000-12', 1],
    ['2001-01', 2],
    ['2001-12', 3],
  ])
})

test('a month cut in two by a part is whole again in the report', () => {
  const first = tally(flight('OSL', '2001-01-02T08:00', 10), flight('BGO', '2001-01-02T09:00', 0))
  const second = tally(flight('OSL', '2001-01-03T08:00', 20), flight('OSL', '2001-02-01T08:00', 60))
  expect(summarizeCells([first, second])).toEqual({
    flights: 4,
    meanDelayMinutes: 22.5,
    lateShare: 0.5,
    airports: [
      {
        airport: 'OSL',
        flights: 3,
        meanDelayMinutes: 30,
        lateShare: 2 / 3,
        months: [
          { month: '2001-01', flights: 2, meanDelayMinutes: 15, lateShare: 0.5 },
          { month: '2001-02', flights: 1, meanDelayMinutes: 60, lateShare: 1 },
        ],
      },
      {
        airport: 'BGO',
        flights: 1,
        meanDelayMinutes: 0,
        lateShare: 0,
        months: [{ month: '2001-01', flights: 1, meanDelayMinutes: 0, lateShare: 0 }],
      },
    ],
  })
})

test('a report on nothing is empty, not NaN', () => {
  expect(summarizeCells([])).toEqual({
    flights: 0,
    meanDelayMinutes: 0,
    lateShare: 0,
    airports: [],
  })
})

test('a row group the file does not have is named in the error', async () => {
  await expect(readRowGroup(11)).rejects.toThrow('there is no row group 11: the file has 11')
})

describe('the report over the three million flights', () => {
  const parts: Cell[][] = []
  let report: DelayReport
  beforeAll(async () => {
    for (let rowGroup = 0; rowGroup < (await countRowGroups()); rowGroup += 1) {
      parts.push(tallyFlights(await readRowGroup(rowGroup)))
    }
    report = summarizeCells(parts)
  })

  // Computed once by Apache Arrow from the same file: another reader, another language.
  test('has the totals that another program finds in the file', () => {
    expect(report.flights).toBe(3_000_000)
    expect(report.meanDelayMinutes).toBe(20_003_603 / 3_000_000)
    expect(report.lateShare).toBe(626_590 / 3_000_000)
    expect(report.airports.length).toBe(229)
    expect(report.airports.flatMap(({ months }) => months).length).toBe(1_341)
    const atlanta = report.airports.find(({ airport }) => airport === 'ATL')
    expect(atlanta?.months.at(5)).toEqual({
      month: '2001-06',
      flights: 20_856,
      meanDelayMinutes: 358_410 / 20_856,
      lateShare: 6_998 / 20_856,
    })
  })

  test('agrees in each airport and month with a count row by row across row groups', async () => {
    const expected = await countRowByRow(ROW_GROUPS)
    const { airports } = summarizeCells(parts.slice(0, ROW_GROUPS))
    const found = airports.flatMap(({ airport, months }) =>
      months.map((m) => `${airport} ${m.month} ${m.flights} ${m.meanDelayMinutes} ${m.lateShare}`),
    )
    expect(found.sort()).toEqual(expected.sort())
  })

  test('lists airports by falling mean and months in order', () => {
    const means = report.airports.map(({ meanDelayMinutes }) => meanDelayMinutes)
    expect(means).toEqual(means.toSorted((a, b) => b - a))
    for (const { months } of report.airports) {
      const names = months.map(({ month }) => month)
      expect(names).toEqual(names.toSorted())
    }
  })
})

/** As many as are counted row by row, which takes long. */
const ROW_GROUPS = 3

/** Row objects in slices that cut across the row groups, text keys, BigInt sums: nothing shared with the report. */
async function countRowByRow(rowGroups: number): Promise<string[]> {
  const SLICE = 400_000
  const file = await asyncBufferFromFile(FLIGHTS)
  const groups = (await parquetMetadataAsync(file)).row_groups.slice(0, rowGroups)
  const rows = groups.reduce((sum, group) => sum + Number(group.num_rows), 0)
  const sums: Record<string, { n: bigint; minutes: bigint; late: bigint }> = {}
  for (let rowStart = 0; rowStart < rows; rowStart += SLICE) {
    const slice = await parquetReadObjects({
      file,
      compressors,
      columns: ['date', 'delay', 'origin'],
      rowStart,
      rowEnd: Math.min(rowStart + SLICE, rows),
    })
    for (const row of slice) {
      const key = `${row.origin} ${row.date.toISOString().slice(0, 7)}`
      sums[key] ??= { n: 0n, minutes: 0n, late: 0n }
      sums[key].n += 1n
      sums[key].minutes += row.delay
      sums[key].late += row.delay >= 15n ? 1n : 0n
    }
  }
  return Object.entries(sums).map(([key, { n, minutes, late }]) => {
    return `${key} ${n} ${Number(minutes) / Number(n)} ${Number(late) / Number(n)}`
  })
}
