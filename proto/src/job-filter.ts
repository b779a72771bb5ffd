/**
 * The text form of a filter, the same in requests, SDK and CLI: `state:failed method:reports.* label.tenant:acme age:<1h`.
 *
 * Terms stand side by side. Of several terms of one field any has to hold, of different fields all; a term behind a dash, such as
 * `-state:succeeded`, must not hold. Times (`age`, `ended`, `created`) are bounds, and of those all have to hold. Values with
 * spaces or quotes stand in double quotes, in which `\"` is a quote and `\\` a backslash; `key:""` is a job without a key.
 */
import { isLonger, poolFault, textFault } from './field-rules.ts'
import { LIMITS } from './limits.ts'

/** By their names in the enum JobState. */
export const FILTER_STATES = [
  'scheduled',
  'queued',
  'running',
  'waiting',
  'succeeded',
  'failed',
  'canceled',
] as const
export const FILTER_KINDS = ['program', 'system', 'scheduled'] as const

export type WordField = 'state' | 'method' | 'key' | 'owner' | 'kind' | 'parent' | 'pool'

/** What a field is to be, or not to be. Of a method `*` stands for any characters; empty: has no key, or no parent. */
export interface WordTerm {
  readonly field: WordField
  readonly value: string
  readonly not: boolean
}

export interface LabelTerm {
  readonly field: 'label'
  readonly label: string
  readonly value: string
  readonly not: boolean
}

/** Created, or ended, less or more than so long ago. */
export interface AgeTerm {
  readonly field: 'age' | 'ended'
  readonly op: '<' | '>'
  readonly ms: number
}

/** Created at or after a time, or before it. */
export interface TimeTerm {
  readonly field: 'created'
  readonly op: '>=' | '<'
  readonly time: Date
}

export type FilterTerm = WordTerm | LabelTerm | AgeTerm | TimeTerm

/** What is wrong with a text, and where. */
export interface FilterFault {
  /** Of its first character, from 1. */
  readonly position: number
  readonly description: string
}

const FIELDS = 'state, method, key, owner, kind, parent, pool, label.<name>, age, ended, created'
const JOB_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const METHOD_PATTERN = /^[A-Za-z0-9_.*-]+$/

const oneOf =
  (values: readonly string[]) =>
  (value: string): string | undefined =>
    values.includes(value) ? undefined : `must be one of ${values.join(', ')}`

const WORDS: Readonly<Record<WordField, (value: string) => string | undefined>> = {
  state: oneOf(FILTER_STATES),
  method: (value) =>
    METHOD_PATTERN.test(value) && value.length <= LIMITS.methodCharactersMax
      ? undefined
      : `must be the name of a method, at most ${LIMITS.methodCharactersMax} characters; * stands for any`,
  key: (value) => textFault(value, LIMITS.keyCharactersMax),
  owner: (value) => textFault(value, LIMITS.ownerCharactersMax) ?? (value ? undefined : 'is empty'),
  kind: oneOf(FILTER_KINDS),
  parent: (value) =>
    value === '' || JOB_ID.test(value) ? undefined : 'must be a job id, a lower-case UUID',
  pool: (value) => (value === '' ? 'is empty' : poolFault(value)),
}

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
type Unit = keyof typeof UNITS
const LARGEST_FIRST = (Object.keys(UNITS) as Unit[]).reverse()

/** A term as it is written: dash, field, name of the label, value. */
const TERM =
  /(-?)([A-Za-z]+)(?:\.("(?:[^"\\]|\\.)*"|[^\s":]+))?:("(?:[^"\\]|\\.)*"(?!\S)|[^\s"]+(?!\S))/suy
const WORD = /\S+/suy

/** The terms of a text, in their order; none for an empty one. */
export function parseFilter(text: string): readonly FilterTerm[] | FilterFault {
  if (isLonger(text, LIMITS.filterTextCharactersMax)) {
    const description = `must be at most ${LIMITS.filterTextCharactersMax} characters`
    return { position: 1, description }
  }
  const terms: FilterTerm[] = []
  for (let at = startOfNext(text, 0); at < text.length; ) {
    TERM.lastIndex = at
    const found = TERM.exec(text)
    const term = found === null ? malformed(text, at) : termFrom(found)
    if (typeof term === 'string') return { position: at + 1, description: term }
    terms.push(term)
    at = startOfNext(text, TERM.lastIndex)
  }
  const crowded = tooMany(terms)
  return crowded === undefined ? terms : { position: 1, description: crowded }
}

export function isFilterFault(parsed: readonly FilterTerm[] | FilterFault): parsed is FilterFault {
  return 'description' in parsed
}

/** The text of which {@link parseFilter} makes these terms. */
export function printFilter(terms: readonly FilterTerm[]): string {
  return terms.map(textOf).join(' ')
}

/** Names what of several terms any has to hold, apart from whether it must not. */
export function fieldOf(term: FilterTerm): string {
  return term.field === 'label' ? `label.${quoted(term.label)}` : term.field
}

function startOfNext(text: string, from: number): number {
  const rest = text.slice(from)
  return text.length - rest.trimStart().length
}

function malformed(text: string, at: number): string {
  WORD.lastIndex = at
  const word = shown(WORD.exec(text)?.[0] ?? '')
  if (word.includes('"')) {
    return `${word} has a quote in it; write field:"the value", with \\" for a quote and \\\\ for a backslash`
  }
  if (!word.includes(':')) return `${word} has no field; write field:value, with one of ${FIELDS}`
  if (word.endsWith(':')) return `${word} has no value; write ${word}"" for an empty one`
  return `${word} is no field:value, with one of ${FIELDS}`
}

/** A fault has to fit into an answer. */
function shown(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`
}

function termFrom([, dash, field = '', label, raw = '']: RegExpExecArray): FilterTerm | string {
  const not = dash === '-'
  if (field === 'label') {
    if (label === undefined) return 'label needs a name: label.tenant:acme'
    return labelTerm(unquoted(label), unquoted(raw), not)
  }
  if (label !== undefined) return `${shown(field)} has no parts; only label has, as in label.tenant`
  if (field === 'age' || field === 'ended' || field === 'created') {
    if (not) return `-${field} is no term; turn < and > round instead`
    return field === 'created' ? timeTerm(raw) : ageTerm(field, raw)
  }
  if (!isWordField(field)) return `${shown(field)} is no field; there are ${FIELDS}`
  const value = unquoted(raw)
  const fault = WORDS[field](value)
  return fault === undefined ? { field, value, not } : `${field} ${fault}`
}

/** What is wrong with a value of a field, in words that follow its name; undefined where nothing is. */
export function wordFault(field: WordField, value: string): string | undefined {
  return WORDS[field](value)
}

function isWordField(field: string): field is WordField {
  return Object.hasOwn(WORDS, field)
}

function labelTerm(label: string, value: string, not: boolean): LabelTerm | string {
  const { labelKeyCharactersMax, labelValueCharactersMax } = LIMITS
  if (label === '') return 'label needs a name: label.tenant:acme'
  const ofName = textFault(label, labelKeyCharactersMax)
  if (ofName !== undefined) return `the name of the label ${ofName}`
  const fault = textFault(value, labelValueCharactersMax)
  return fault === undefined ? { field: 'label', label, value, not } : `the label ${fault}`
}

const AGE = /^([<>])(\d+)(ms|s|m|h|d|w)$/

function ageTerm(field: AgeTerm['field'], text: string): AgeTerm | string {
  const [, op, amount, unit] = AGE.exec(text) ?? []
  if (op !== '<' && op !== '>') {
    return `${field} must be < or > and a time with its unit (ms, s, m, h, d, w), such as ${field}:<1h`
  }
  const ms = Number(amount) * UNITS[unit as Unit]
  return ms <= LIMITS.durationMsMax ? { field, op, ms } : `${field} must be at most ten years`
}

const TIME = /^(>=|<)(\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?)$/
const YEAR_1 = Date.parse('0001-01-01')

function timeTerm(text: string): TimeTerm | string {
  const [, op, written = ''] = TIME.exec(text) ?? []
  const time = new Date(written)
  // 30 February would be taken for a day of March, and no calendar has a year 0.
  const isThere = time.getTime() >= YEAR_1 && time.toISOString().startsWith(written.slice(0, 10))
  if ((op === '>=' || op === '<') && isThere) return { field: 'created', op, time }
  return 'created must be >= or < and a time, such as created:>=2026-01-31 or created:<2026-01-31T12:00Z'
}

function tooMany(terms: readonly FilterTerm[]): string | undefined {
  const counts = new Map<string, number>()
  for (const term of terms) {
    const name = fieldOf(term)
    const count = (counts.get(name) ?? 0) + 1
    if (count > LIMITS.filterValuesMax) {
      return `${name} has more than ${LIMITS.filterValuesMax} values`
    }
    counts.set(name, count)
  }
  if (counts.size > LIMITS.labelsMax + 10) return `must have at most ${LIMITS.labelsMax} labels`
  return undefined
}

function textOf(term: FilterTerm): string {
  switch (term.field) {
    case 'age':
    case 'ended':
      return `${term.field}:${term.op}${durationText(term.ms)}`
    case 'created':
      return `created:${term.op}${term.time.toISOString()}`
    default:
      return `${term.not ? '-' : ''}${fieldOf(term)}:${quoted(term.value)}`
  }
}

/** In the largest unit that makes it a whole number. */
function durationText(ms: number): string {
  const unit = LARGEST_FIRST.find((each) => ms % UNITS[each] === 0) ?? 'ms'
  return `${ms / UNITS[unit]}${unit}`
}

/** In quotes where it would not be read as it is. */
function quoted(text: string): string {
  if (/^[^\s":]+$/u.test(text)) return text
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/gsu, '$1') : text
}
