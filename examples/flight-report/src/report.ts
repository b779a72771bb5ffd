import type { Flights } from './flights.ts'

/** A flight counts as late from this many minutes on, as the Bureau counts. */
export const LATE_MINUTES = 15

/** The flights of one origin airport in one month: whole numbers, so that sums are exact in any order. */
export interface Cell {
  readonly airport: string
  /** Month of the actual departure in local time, like `2001-03`. */
  readonly month: string
  readonly flights: number
  /** Sum of the delays; early flights count as negative. */
  readonly delayMinutes: number
  /** How many were {@link LATE_MINUTES} or more late. */
  readonly lateFlights: number
}

/** What is said of any group of flights. */
export interface Delays {
  readonly flights: number
  readonly meanDelayMinutes: number
  /** 0 to 1. */
  readonly lateShare: number
}

export interface AirportDelays extends Delays {
  readonly airport: string
  /** In order, without the months in which nothing left. */
  readonly months: readonly (Delays & { readonly month: string })[]
}

export interface DelayReport extends Delays {
  /** The highest mean delay first. */
  readonly airports: readonly AirportDelays[]
}

/** Counts flights by airport and month. */
export function tallyFlights({ origin, departure, delayMinutes }: Flights): Cell[] {
  const cells = new Map<string, Map<number, Sums>>()
  for (let i = 0; i < origin.length; i += 1) {
    const airport = at(origin, i)
    const date = at(departure, i)
    const delay = Number(at(delayMinutes, i))
    const months = getOrInsert(cells, airport, () => new Map<number, Sums>())
    const month = date.getUTCFullYear() * 12 + date.getUTCMonth()
    const sums = getOrInsert(months, month, newSums)
    sums.flights += 1
    sums.delayMinutes += delay
    if (delay >= LATE_MINUTES) sums.lateFlights += 1
  }
  return [...cells].flatMap(([airport, months]) =>
    [...months].map(([month, sums]) => ({ airport, month: monthText(month), ...sums })),
  )
}

/** Puts the parts together: a month cut in two by a row group is whole again. */
export function summarizeCells(parts: readonly (readonly Cell[])[]): DelayReport {
  const byAirport = new Map<string, Map<string, Sums>>()
  for (const cell of parts.flat()) {
    const months = getOrInsert(byAirport, cell.airport, () => new Map<string, Sums>())
    add(getOrInsert(months, cell.month, newSums), cell)
  }
  const total = newSums()
  const airports = [...byAirport].map(([airport, months]) => {
    const sums = newSums()
    for (const month of months.values()) add(sums, month)
    add(total, sums)
    const inOrder = [...months].sort(([a], [b]) => (a < b ? -1 : 1))
    return {
      airport,
      ...delaysOf(sums),
      months: inOrder.map(([month, each]) => ({ month, ...delaysOf(each) })),
    }
  })
  airports.sort(
    (a, b) => b.meanDelayMinutes - a.meanDelayMinutes || (a.airport < b.airport ? -1 : 1),
  )
  return { ...delaysOf(total), airports }
}

interface Sums {
  flights: number
  delayMinutes: number
  lateFlights: number
}

function newSums(): Sums {
  return { flights: 0, delayMinutes: 0, lateFlights: 0 }
}

function add(sums: Sums, more: Readonly<Sums>): void {
  sums.flights += more.flights
  sums.delayMinutes += more.delayMinutes
  sums.lateFlights += more.lateFlights
}

function delaysOf({ flights, delayMinutes, lateFlights }: Readonly<Sums>): Delays {
  const share = (count: number) => (flights === 0 ? 0 : count / flights)
  return { flights, meanDelayMinutes: share(delayMinutes), lateShare: share(lateFlights) }
}

function monthText(month: number): string {
  return `${Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}`
}

function at<T>(column: ArrayLike<T>, index: number): T {
  const value = column[index]
  if (value === undefined || value === null) throw new Error(`flight ${index} lacks a value`)
  return value
}

function getOrInsert<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const there = map.get(key)
  if (there !== undefined) return there
  const made = make()
  map.set(key, made)
  return made
}
