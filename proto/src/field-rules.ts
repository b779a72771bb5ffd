/**
 * What the texts, times and numbers of requests must be, told in words that follow the name of the field: undefined where all
 * is fine. The same for every service; the SDK uses the forms.
 */
import { LIMITS } from './limits.ts'

/** What is wrong with a field, in words that follow its name; undefined where nothing is. */
export type Fault = string | undefined

/** Letters, digits, `_` and `-` in segments joined by dots (row J1). */
const METHOD = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/
const NAMESPACE = /^[A-Za-z0-9_-]{1,63}$/
const POOL = /^[A-Za-z0-9._-]{1,63}$/
const VERSION = /^[A-Za-z0-9._+:-]{1,100}$/
/** `val_`, `scp_`, `upl_` and 128 bits of randomness: what temp storage gives out. */
const ADDRESS = /^val_[0-9a-f]{32}$/
const SCOPE = /^scp_[0-9a-f]{32}$/
const UPLOAD = /^upl_[0-9a-f]{32}$/
/** RFC 9110, 8.3.1: a type, a subtype, and parameters without control characters. */
const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+ *(?:;[\x20-\x7e]*)?$/

/** W3C trace context: a version, the ids of trace and span, flags; newer versions may say more behind a dash. */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:(?<!^00.{53})-[\x20-\x7e]*)?$/

/** Looks at no text twice in a row: that of one job in a batch is mostly that of the next. */
function remembering(isRight: (text: string) => boolean): (text: string) => boolean {
  let right: string | undefined
  return (text) => {
    if (text === right) return true
    if (!isRight(text)) return false
    right = text
    return true
  }
}

export const isTraceparent = remembering(
  (text) =>
    isPlainTraceparent(text) ||
    (text.length <= LIMITS.traceparentCharactersMax && TRACEPARENT.test(text)),
)

const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)
const DASH = '-'.charCodeAt(0)
const IS_HEX: readonly boolean[] = Array.from({ length: 128 }, (_, code) =>
  '0123456789abcdef'.includes(String.fromCharCode(code)),
)

/** Whether it is one of today's version, as nearly all are: found out in a tenth of the time. */
function isPlainTraceparent(text: string): boolean {
  if (text.length !== 55 || !text.startsWith('00-')) return false
  for (let at = 3; at < 55; at++) {
    const code = text.charCodeAt(at)
    if (at === 35 || at === 52 ? code !== DASH : IS_HEX[code] !== true) return false
  }
  return !text.startsWith(NO_TRACE, 3) && !text.startsWith(NO_SPAN, 36)
}

/** Empty ones are fine: nothing was given. */
export function traceparentFault(text: string): Fault {
  if (text === '' || isTraceparent(text)) return undefined
  return `must be a W3C trace context, "00-<trace id>-<span id>-<flags>" in lower-case hexadecimal digits, at most ${LIMITS.traceparentCharactersMax} characters`
}

export const isMethodName = remembering(
  (text) => text.length <= LIMITS.methodCharactersMax && METHOD.test(text),
)

export const isNamespace = (text: string): boolean => NAMESPACE.test(text)
export const isAddress = (text: string): boolean => ADDRESS.test(text)
export const isScopeId = (text: string): boolean => SCOPE.test(text)
export const isUploadId = (text: string): boolean => UPLOAD.test(text)

/** Whether a text has more characters, not counted where its UTF-16 units tell. */
export function isLonger(text: string, charactersMax: number): boolean {
  if (text.length <= charactersMax) return false
  return text.length > 2 * charactersMax || [...text].length > charactersMax
}

/** PostgreSQL's texts hold every character but NUL. */
export function textFault(text: string, charactersMax: number): Fault {
  if (text === '') return undefined
  if (isLonger(text, charactersMax)) return `must be at most ${charactersMax} characters`
  return text.includes('\0') ? 'must not contain a NUL character' : undefined
}

export function methodFault(text: string): Fault {
  if (isMethodName(text)) return undefined
  return `must be segments of letters, digits, "_" and "-" joined by dots, at most ${LIMITS.methodCharactersMax} characters`
}

export function namespaceFault(text: string): Fault {
  if (isNamespace(text)) return undefined
  return `must be 1 to ${LIMITS.namespaceCharactersMax} letters, digits, "_" and "-"`
}

/** Empty ones are fine: nothing was given. */
export function addressFault(text: string): Fault {
  if (text === '' || isAddress(text)) return undefined
  return 'must be an address temp storage gave: "val_" and 32 hexadecimal digits'
}

/** Empty ones are fine: nothing was given. */
export function scopeFault(text: string): Fault {
  if (text === '' || isScopeId(text)) return undefined
  return 'must be a scope temp storage opened: "scp_" and 32 hexadecimal digits'
}

export const poolRule = `1 to ${LIMITS.poolCharactersMax} letters, digits, ".", "_" and "-"`

/** Empty ones are fine: the default pool. */
export function poolFault(text: string): Fault {
  if (text === '' || POOL.test(text)) return undefined
  return `must be ${poolRule}`
}

export const versionRule = `1 to ${LIMITS.versionCharactersMax} letters, digits, ".", "_", "+", ":" and "-"`

/** Of a method. Empty ones are fine: none, or whichever. */
export function versionFault(text: string): Fault {
  return text === '' || VERSION.test(text) ? undefined : `must be ${versionRule}`
}

/** Empty ones are fine: the default counts. */
export function contentTypeFault(text: string): Fault {
  if (text === '' || text === 'application/json') return undefined
  if (isLonger(text, LIMITS.contentTypeCharactersMax)) {
    return `must be at most ${LIMITS.contentTypeCharactersMax} characters`
  }
  return MEDIA_TYPE.test(text) ? undefined : 'must be a media type, such as text/csv'
}

/** Whether bytes of a content type are JSON, as those of none are: in whatever case, with whatever blanks and parameters (RFC 9110, 8.3). */
export function isJsonType(text: string): boolean {
  return text === '' || text === 'application/json' || /^ *application\/json *(;|$)/i.test(text)
}

/** From 0 to ten years. */
export function durationFault(ms: number): Fault {
  return ms >= 0 && ms <= LIMITS.durationMsMax ? undefined : 'must be within 0 and 10 years'
}

const TIME_MIN = Date.parse('0001-01-01T00:00:00Z')
const TIME_MAX = Date.parse('9999-12-31T23:59:59.999Z')

/** The range of google.protobuf.Timestamp; what is beyond it decodes to an invalid Date, or to none PostgreSQL reads. */
export function timeFault(time: Date | undefined): Fault {
  if (time === undefined) return undefined
  const ms = time.getTime()
  return ms >= TIME_MIN && ms <= TIME_MAX ? undefined : 'must be within the years 1 and 9999'
}

/** What is wrong with a request, told field by field. */
export interface Violation {
  readonly field: string
  readonly description: string
}

/** Notes what is wrong with a field, if anything is. */
export type Note = (field: string, fault: Fault) => void

/** Everything the rules find wrong; empty when all is fine. */
export function collectViolations(rules: (note: Note) => void): Violation[] {
  const found: Violation[] = []
  rules((field, description) => {
    if (description !== undefined) found.push({ field, description })
  })
  return found
}

export function checkLabels(
  field: string,
  labels: Readonly<Record<string, string>>,
  note: Note,
): void {
  const { labelsMax, labelKeyCharactersMax, labelValueCharactersMax } = LIMITS
  const entries = Object.entries(labels)
  if (entries.length > labelsMax) note(field, `must be at most ${labelsMax}`)
  // Not all of very many: what is wrong has to fit into the answer.
  for (const [key, value] of entries.slice(0, labelsMax)) {
    const named = `${field}[${key.slice(0, labelKeyCharactersMax)}]`
    if (key === '' || isLonger(key, labelKeyCharactersMax)) {
      note(named, `must have a key of 1 to ${labelKeyCharactersMax} characters`)
    }
    note(named, textFault(value, labelValueCharactersMax))
    if (key.includes('\0')) note(named, 'must not contain a NUL character')
  }
}
