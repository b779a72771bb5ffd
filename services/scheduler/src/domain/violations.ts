/** What is wrong with a request, told field by field, and the rules that many fields share (guarantee 6). */

export interface Violation {
  readonly field: string
  readonly description: string
}

/** Notes a violation unless `ok`. */
export type Check = (ok: boolean, field: string, description: string) => void

/** Everything the rules find wrong; empty when all is fine. */
export function collectViolations(rules: (check: Check) => void): Violation[] {
  const found: Violation[] = []
  rules((ok, field, description) => {
    if (!ok) found.push({ field, description })
  })
  return found
}

/** PostgreSQL's texts hold every character but NUL. */
export function checkText(check: Check, field: string, text: string, charactersMax: number): void {
  check(text.length <= charactersMax, field, `must be at most ${charactersMax} characters`)
  check(!text.includes('\0'), field, 'must not contain a NUL character')
}

/** The longest duration there is, ten years: far within what an interval, a timestamp and a number hold. */
export const DURATION_MS_MAX = 10 * 366 * 24 * 3_600_000

export function checkDuration(check: Check, field: string, ms: number): void {
  check(ms >= 0 && ms <= DURATION_MS_MAX, field, 'must be within 0 and 10 years')
}

const TIME_MIN = Date.parse('0001-01-01T00:00:00Z')
const TIME_MAX = Date.parse('9999-12-31T23:59:59.999Z')

/** The range of google.protobuf.Timestamp; what is beyond it decodes to an invalid Date, or to none PostgreSQL reads. */
export function checkTime(check: Check, field: string, time: Date | undefined): void {
  if (time === undefined) return
  const ms = time.getTime()
  check(ms >= TIME_MIN && ms <= TIME_MAX, field, 'must be within the years 1 and 9999')
}

/** How many labels there may be, and how long in UTF-16 code units. */
const LABELS_MAX = 32
const LABEL_KEY_MAX = 63
const LABEL_VALUE_MAX = 255

export function checkLabels(
  check: Check,
  field: string,
  labels: Readonly<Record<string, string>>,
): void {
  const entries = Object.entries(labels)
  check(entries.length <= LABELS_MAX, field, `must be at most ${LABELS_MAX}`)
  // Not all of very many: what is wrong has to fit into the answer.
  for (const [key, value] of entries.slice(0, LABELS_MAX)) {
    const named = `${field}[${key.slice(0, LABEL_KEY_MAX)}]`
    check(
      key.length > 0 && key.length <= LABEL_KEY_MAX,
      named,
      'must have a key of 1 to 63 characters',
    )
    checkText(check, named, value, LABEL_VALUE_MAX)
    check(!key.includes('\0'), named, 'must not contain a NUL character')
  }
}
