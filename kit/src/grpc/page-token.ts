/** Page tokens: opaque to callers, bound to the listing they were made for. */
import { createHash } from 'node:crypto'
import { Refusal } from './refusal.ts'

/** A token that goes on after `position`; `listing` is all that decides what is listed, and in which order. */
export function pageTokenAt(position: string, listing: unknown): string {
  return Buffer.from(`${digestOf(listing)}.${position}`).toString('base64url')
}

/** Where a listing goes on: undefined for no token. Throws for one of another listing, or of none. */
export function positionFrom(token: string, listing: unknown): string | undefined {
  if (token === '') return undefined
  const text = Buffer.from(token, 'base64url').toString()
  const dot = text.indexOf('.')
  if (dot < 0 || text.slice(0, dot) !== digestOf(listing)) throw pageTokenInvalid()
  return text.slice(dot + 1)
}

export function pageTokenInvalid(): Refusal {
  return new Refusal({
    reason: 'PAGE_TOKEN_INVALID',
    message: 'page_token does not belong to this listing; start again without it',
    violations: [{ field: 'page_token', description: 'does not belong to this listing' }],
  })
}

function digestOf(listing: unknown): string {
  const text = JSON.stringify(listing)
  return createHash('sha256').update(text).digest('base64url').slice(0, 12)
}
