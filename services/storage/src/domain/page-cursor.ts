import { type Address, parseAddress } from './identifier.ts'

/** The last value of a page; the next page begins after it. */
export interface PageCursor {
  /** Microseconds since 1970, as the database counts. */
  readonly createTimeUs: number
  readonly address: Address
}

/** As a page token holds it. */
export function positionOf({ createTimeUs, address }: PageCursor): string {
  return `${createTimeUs} ${address}`
}

/** Undefined where it is no position. */
export function cursorFrom(position: string): PageCursor | undefined {
  const [, time, text] = /^(\d+) (.*)$/s.exec(position) ?? []
  const address = parseAddress(text ?? '')
  const createTimeUs = Number(time)
  if (address === undefined || !Number.isSafeInteger(createTimeUs)) return undefined
  return { createTimeUs, address }
}
