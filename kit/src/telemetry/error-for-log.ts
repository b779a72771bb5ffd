/**
 * What logs and spans tell of an error. Errors of libraries carry more than their text: the rows a statement failed on, a client
 * with its whole configuration, the url that could not be parsed. Only what is listed here comes along.
 */

/** Codes and names of places: none holds what a caller has sent. */
const FACTS = [
  'code',
  'errno',
  'syscall',
  'address',
  'port',
  'severity',
  'schema',
  'table',
  'column',
  'constraint',
  'reason',
  'kind',
]
const DEPTH_MAX = 5
const ERRORS_MAX = 5

type Told = Readonly<Record<string, unknown>>

export function errorForLog(error: unknown): Told {
  if (!(error instanceof Error)) return { type: typeof error }
  return { ...factsOf(error), stack: stackForLog(error) }
}

function factsOf(error: unknown, depth = 0): Told {
  if (!(error instanceof Error) || depth >= DEPTH_MAX) return { type: typeof error }
  const { cause, errors } = error as Error & { readonly errors?: unknown }
  const facts = error as unknown as Told
  const isPlain = (value: unknown) => typeof value === 'string' || typeof value === 'number'
  const told = FACTS.filter((fact) => isPlain(facts[fact])).map((fact) => [fact, facts[fact]])
  return {
    type: error.constructor.name,
    message: textForLog(error),
    ...Object.fromEntries(told),
    ...(cause !== undefined && { cause: factsOf(cause, depth + 1) }),
    ...(Array.isArray(errors) && {
      errors: errors.slice(0, ERRORS_MAX).map((each) => factsOf(each, depth + 1)),
    }),
  }
}

/** Its name, message and frames, and those of its causes. */
export function stackForLog(error: Error, depth = 0): string {
  const { name, cause } = error
  const own = `${name}: ${textForLog(error)}${framesOf(error)}`
  if (!(cause instanceof Error) || depth >= DEPTH_MAX) return own
  return `${own}\ncaused by: ${stackForLog(cause, depth + 1)}`
}

/** Its message without what may be in it of a value, or of who logs in. */
export function textForLog(error: Error): string {
  const text = error.message.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/]*@/gi, '$1***@')
  return isDataError(error) ? text.replace(/".*"/s, '"…"') : text
}

/** Of class 22 PostgreSQL quotes the value that it did not take. */
function isDataError(error: Error): boolean {
  return 'severity' in error && 'code' in error && String(error.code).startsWith('22')
}

/** From the first frame on: what stands before repeats the message. */
function framesOf({ stack = '' }: Error): string {
  return /\n\s+at .*/s.exec(stack)?.[0] ?? ''
}
