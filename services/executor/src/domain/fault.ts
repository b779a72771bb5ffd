/** Turns whatever a handler threw into the fault its job carries (row J14). */

import { isRetryable, pathsOf, withoutOwnFrames } from '@offstage/sdk/jobs'
import type { Fault } from './attempt.ts'

const BRIEF_CHARS_MAX = 1_000
/** Of a fault's detail. */
export const DETAIL_BYTES_MAX = 32 * 1024
const REASON_CHARS_MAX = 200
const CAUSES_MAX = 10

/** The rooms of the executor whose frames are below those of every handler. */
/** Paths of the executor's code that runs beside handlers. */
export const OWN_FRAMES: readonly string[] = [
  '../attach/',
  '../domain/',
  '../lanes/',
  '../run/',
].flatMap((room) => pathsOf(new URL(room, import.meta.url)))

/** A fault that Offstage itself found, before or after the handler's own code ran. */
export class AttemptFault extends Error {
  override readonly name = 'AttemptFault'
  readonly reason: string
  readonly retryable: boolean

  constructor(reason: string, message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.reason = reason
    this.retryable = options.retryable
  }
}

/**
 * The fault of a thrown value: brief is its message, detail its stack and causes without frames of Offstage's own, reason its
 * own `reason` where that is an UPPER_SNAKE text or that of a failed child, else its class name. Retryable unless the value or a
 * cause of it says `retryable: false`.
 */
export function faultFromThrown(thrown: unknown): Fault {
  const { message, reason, name } = attributesOf(thrown)
  return {
    brief: cutChars(message || name, BRIEF_CHARS_MAX),
    detail: cutBytes(detailOf(thrown), DETAIL_BYTES_MAX),
    reason: cutChars(reasonOf(name, reason), REASON_CHARS_MAX),
    retryable: retryableOf(thrown),
  }
}

function retryableOf(thrown: unknown): boolean {
  try {
    return isRetryable(thrown)
  } catch {
    return true
  }
}

/** Whether a value was thrown because of an aborted signal: by its name, reason or causes. */
export function isAbort(thrown: unknown, abortReason: unknown): boolean {
  let link = thrown
  for (let depth = 0; depth <= CAUSES_MAX && link !== undefined && link !== null; depth += 1) {
    if (link === abortReason) return true
    const { name, reason, cause } = attributesOf(link)
    if (name === 'AbortError' || reason === 'CANCELLED') return true
    link = cause
  }
  return false
}

interface Attributes {
  readonly message: string
  readonly name: string
  readonly reason: unknown
  readonly cause: unknown
}

/** Reads a thrown value without trusting it: getters may throw, anything may be missing. */
function attributesOf(thrown: unknown): Attributes {
  if (typeof thrown !== 'object' || thrown === null) {
    return { message: textOf(thrown), name: 'Error', reason: undefined, cause: undefined }
  }
  try {
    const { message, name, reason, cause } = thrown as Record<string, unknown>
    const own = typeof name === 'string' && name !== '' ? name : 'Error'
    const named = own === 'Error' ? String(thrown.constructor?.name ?? own) : own
    const text = thrown instanceof Error ? textOf(message) : textOf(thrown)
    return { message: text, name: named, reason, cause }
  } catch {
    return { message: textOf(thrown), name: 'Error', reason: undefined, cause: undefined }
  }
}

function reasonOf(name: string, reason: unknown): string {
  if (isUpperSnake(reason)) return reason
  // Told by its name: a module may bring an SDK of its own.
  return name === 'JobFailedError' && typeof reason === 'string' && reason !== '' ? reason : name
}

function isUpperSnake(reason: unknown): reason is string {
  return typeof reason === 'string' && /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/.test(reason)
}

function detailOf(thrown: unknown): string {
  const parts: string[] = []
  const seen = new Set<unknown>()
  let link = thrown
  while (link !== undefined && !seen.has(link) && parts.length <= CAUSES_MAX) {
    seen.add(link)
    parts.push(stackOf(link))
    link = attributesOf(link).cause
  }
  for (const each of errorsOf(thrown)) parts.push(`one of several: ${stackOf(each)}`)
  return parts.join('\ncaused by: ')
}

function errorsOf(thrown: unknown): unknown[] {
  try {
    return thrown instanceof AggregateError ? thrown.errors.slice(0, CAUSES_MAX) : []
  } catch {
    return []
  }
}

function stackOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return textOf(thrown)
    return withoutFramesBelow(textOf(thrown.stack ?? thrown.message))
  } catch {
    return textOf(thrown)
  }
}

/** Frames without those of the executor. */
export function withoutFramesBelow(frames: string): string {
  return withoutOwnFrames(frames, OWN_FRAMES)
}

function textOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  try {
    return JSON.stringify(thrown) ?? String(thrown)
  } catch {
    return `a value of type ${typeof thrown} that cannot be shown`
  }
}

function cutChars(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`
}

/** Cuts at a character so that the UTF-8 form keeps within `max` bytes. */
function cutBytes(text: string, max: number): string {
  if (text.length * 3 <= max) return text
  const bytes = new TextEncoder().encode(text)
  if (bytes.length <= max) return text
  return new TextDecoder().decode(bytes.subarray(0, max - 4), { stream: true })
}
