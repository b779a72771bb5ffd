/** Where the tokens of a client come from, and how long each is good for. */
import { readFile } from 'node:fs/promises'
import { status } from '@grpc/grpc-js'
import { isPastedContent } from '@offstage/proto/pasted-content'
import { shown } from '../arguments/shown.ts'
import { OffstageError } from '../grpc/mod.ts'

/** A token, or a function that gives one; it is called again before that one ends, and when a service refuses it. */
export type TokenSource = string | (() => string | Promise<string>)

/** Gives a token each time it is asked; throws an OffstageError TOKEN_UNAVAILABLE that names what gave none. */
export interface Tokens {
  next(): Promise<string>
  /** A token is asked for anew when it is older, whatever it says of its end. */
  readonly ageMsMax: number
}

/** A file is cheap to read, and may have been replaced for a reason. */
const FILE_AGE_MS_MAX = 60_000
/** What a function may take. */
const TOKEN_MS_MAX = 15_000

export function tokensOf(give: () => unknown, timeoutMs: number = TOKEN_MS_MAX): Tokens {
  const next = async () => {
    const late = Promise.withResolvers<never>()
    const giveUp = () =>
      late.reject(tokenUnavailable(`the token function gave no answer within ${timeoutMs} ms`))
    const timer = setTimeout(giveUp, timeoutMs)
    try {
      const token = await Promise.race([calledNow(give), late.promise])
      return checked(token, 'the token function')
    } catch (cause) {
      // What a service said is told as it is, and repeated where that may help.
      if (cause instanceof OffstageError) throw cause
      const text = cause instanceof Error ? cause.message : String(cause)
      throw tokenUnavailable(`the token function failed: ${text}`, cause)
    } finally {
      clearTimeout(timer)
    }
  }
  return { next, ageMsMax: Number.POSITIVE_INFINITY }
}

export function tokensIn(path: string): Tokens {
  const next = async () => {
    if (isPastedContent(path)) {
      throw tokenUnavailable('the token file is named by a token, not by its path')
    }
    const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      const problem = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`
      throw tokenUnavailable(`the token file ${path} ${problem}`, cause)
    })
    return checked(text.trim(), `the token file ${path}`)
  }
  return { next, ageMsMax: FILE_AGE_MS_MAX }
}

/** Whether a text can be sent as a bearer token at all. */
export function isSendable(token: string): boolean {
  return /^[\x21-\x7e]+$/.test(token)
}

/** When a JWT ends, in milliseconds since 1970; undefined where it does not say, or is none. */
export function endOfToken(token: string): number | undefined {
  const { exp } = claimsOf(token)
  return typeof exp === 'number' ? exp * 1_000 : undefined
}

/** Whose a JWT is; undefined where it does not say, or is none. */
export function userOfToken(token: string): string | undefined {
  const { sub } = claimsOf(token)
  return typeof sub === 'string' ? sub : undefined
}

function claimsOf(token: string): { readonly exp?: unknown; readonly sub?: unknown } {
  const [, claims, signature] = token.split('.')
  if (claims === undefined || signature === undefined) return {}
  try {
    return JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) ?? {}
  } catch {
    return {}
  }
}

/** Begun within a promise, so that a function that throws at once fails like one that rejects. */
async function calledNow(give: () => unknown): Promise<unknown> {
  return give()
}

/** Says of what was given only what cannot be a secret. */
function checked(token: unknown, giver: string): string {
  if (typeof token !== 'string') throw tokenUnavailable(`${giver} gave ${shown(token)}, not a text`)
  if (token === '') throw tokenUnavailable(`${giver} gave an empty text`)
  if (isSendable(token)) return token
  throw tokenUnavailable(`${giver} gave a text with characters that no token has, such as spaces`)
}

function tokenUnavailable(message: string, cause?: unknown): OffstageError {
  return new OffstageError({
    code: status.UNAUTHENTICATED,
    reason: 'TOKEN_UNAVAILABLE',
    message,
    ...(cause !== undefined && { cause }),
  })
}
