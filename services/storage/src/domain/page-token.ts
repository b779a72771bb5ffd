import { type Address, parseAddress } from './identifier.ts'

/** The last value of a page; the next page begins after it. */
export interface PageCursor {
  /** Microseconds since 1970, as the database counts. */
  readonly createTimeUs: number
  readonly address: Address
}

/**
 * A token that goes on after the cursor. `listing` names what is listed: a token is only good for the
 * listing it came from.
 */
export function pageTokenFrom(cursor: PageCursor, listing: string): string {
  const fields = [1, cursor.createTimeUs, cursor.address, listing]
  return Buffer.from(JSON.stringify(fields)).toString('base64url')
}

/** Undefined for a token that is malformed or of another listing. */
export function parsePageToken(token: string, listing: string): PageCursor | undefined {
  const [version, createTimeUs, address, of] = fieldsOf(token)
  if (version !== 1 || of !== listing || typeof address !== 'string') return undefined
  const known = parseAddress(address)
  if (known === undefined || !Number.isSafeInteger(createTimeUs)) return undefined
  return { createTimeUs: Number(createTimeUs), address: known }
}

function fieldsOf(token: string): unknown[] {
  try {
    const fields: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    return Array.isArray(fields) ? fields : []
  } catch {
    return []
  }
}
