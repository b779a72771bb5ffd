import type { AirportDelays, DelayReport } from './report.ts'

/** What {@link renderReport} shows of a report. */
export interface TableOptions {
  /** Airports in the table. Default 15. */
  readonly airports?: number
  /** Smaller airports are left out: a handful of flights makes the most extreme mean. Default 10,000. */
  readonly flightsMin?: number
  /** Months with fewer flights in all get no column. Default 1,000. */
  readonly monthFlightsMin?: number
}

const count = new Intl.NumberFormat('en-US')

/** The report as text: the airports with the highest mean delay, and their mean delay month by month. */
export function renderReport(report: DelayReport, options: TableOptions = {}): string {
  const { airports = 15, flightsMin = 10_000, monthFlightsMin = 1_000 } = options
  const shown = report.airports.filter(({ flights }) => flights >= flightsMin).slice(0, airports)
  const byMonth = [...flightsByMonth(report)].sort(([a], [b]) => (a < b ? -1 : 1))
  const months = byMonth.filter(([, n]) => n >= monthFlightsMin).map(([month]) => month)
  const thin = byMonth.filter(([, n]) => n < monthFlightsMin)
  const rows = shown.map((airport) => rowOf(airport, months))
  const lines = renderRows([['origin', 'flights', 'late', 'mean', ...months], ...rows])
  return [
    'Mean delay in minutes by origin airport and month of departure: how late the flights that left it',
    'arrived, early ones counted as negative (the data set keeps no other delay); late: by 15 minutes or more',
    `The ${shown.length} highest of the airports with ${count.format(flightsMin)} flights or more`,
    '',
    ...lines,
    '',
    `all ${report.airports.length} airports: ${count.format(report.flights)} flights, ` +
      `mean ${report.meanDelayMinutes.toFixed(2)} min, ${percent(report.lateShare)} late`,
    ...thin.map(([month, n]) => `(${month} has ${count.format(n)} flights in all, and no column)`),
  ].join('\n')
}

function flightsByMonth({ airports }: DelayReport): Map<string, number> {
  const flights = new Map<string, number>()
  for (const each of airports.flatMap(({ months }) => months)) {
    flights.set(each.month, (flights.get(each.month) ?? 0) + each.flights)
  }
  return flights
}

function rowOf(airport: AirportDelays, months: readonly string[]): string[] {
  const means = new Map(airport.months.map((each) => [each.month, each.meanDelayMinutes]))
  return [
    airport.airport,
    count.format(airport.flights),
    percent(airport.lateShare),
    airport.meanDelayMinutes.toFixed(1),
    ...months.map((month) => means.get(month)?.toFixed(1) ?? '-'),
  ]
}

/** The first column to the left, the others to the right; a rule under the first row. */
function renderRows(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
  return [...lines.slice(0, 1), widths.map((w) => '-'.repeat(w)).join('  '), ...lines.slice(1)]
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
