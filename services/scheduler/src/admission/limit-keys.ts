/**
 * Expressions of definitions and limits: CEL over what a start says, evaluated once, when the job is started. What they may say is bounded
 * so that none takes long: no loops over lists, no regular expressions, so many operations at most.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import { isJsonType, isLonger } from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import type { LabelFault } from '../domain/label-fault.ts'
import { withoutVersion } from '../domain/pool.ts'
import type { StartCommand } from '../domain/start-command.ts'
import { TooSlowError, within } from '../schemas/guard.ts'
import { legible, legibleFields } from './legible-fields.ts'

const environment = new Environment({
  enableOptionalTypes: true,
  limits: {
    maxAstNodes: 100,
    maxDepth: 20,
    maxListElements: 20,
    maxMapEntries: 0,
    maxCallArguments: 5,
  },
})
  .registerVariable('params', 'dyn')
  .registerVariable('labels', 'map<string, string>')
  .registerVariable('owner', 'string')
  .registerVariable('key', 'string')
  .registerVariable('pool', 'string')

/** None of them takes longer than its arguments are long. */
const FUNCTIONS: ReadonlySet<string> = new Set([
  ...['has', 'string', 'int', 'double', 'bool', 'size', 'orValue', 'hasValue', 'value'],
  ...['startsWith', 'endsWith', 'contains', 'indexOf', 'substring', 'lowerAscii', 'trim'],
])

type Expression = ReturnType<typeof environment.parse>

/** Few are in use at a time: those that were set last. */
const KEPT_MAX = 1_000
const parsed = new Map<string, Expression>()

/** What is wrong with an expression, in words that follow the name of its field; undefined where nothing is. */
export function keyExpressionFault(text: string): string | undefined {
  if (isLonger(text, LIMITS.keyExpressionCharactersMax)) {
    return `must be at most ${LIMITS.keyExpressionCharactersMax} characters`
  }
  try {
    const expression = parse(text)
    const { valid, error, type } = expression.check()
    if (!valid) return `is no expression that can be evaluated: ${firstLine(error)}`
    const name = functionOf(expression.ast)
    if (name !== undefined) {
      return `calls ${name}, which it must not: it may call ${[...FUNCTIONS].join(', ')}`
    }
    const { op, args } = expression.ast
    if (op === 'id' && args === 'params') return 'is all of the parameters: it must be one of them'
    const constant = refersToNothing(expression.ast) && fault(() => expression({}))
    if (constant) return `can have no value: ${constant}`
    if (!TYPES.has(String(type))) return `is a ${type}: it must be a text, a number or a bool`
    return undefined
  } catch (error) {
    return `is no CEL expression: ${firstLine(error)}`
  }
}

const TYPES: ReadonlySet<string> = new Set([
  ...['dyn', 'string', 'int', 'uint', 'double', 'bool', 'null'],
])

/** What expressions speak of. */
export type Spoken = Pick<StartCommand, 'params' | 'labels' | 'owner' | 'key' | 'pool'>

/** The value of the expression for a start, or why there is none. Where it is null, the value is empty. */
export function limitKeyOf(
  expression: string,
  command: Spoken,
): { readonly key: string } | { readonly fault: string } {
  const names = () => namesOf(command)
  const found = evaluated(expression, command, names, LIMITS.limitKeyCharactersMax)
  return 'fault' in found ? found : { key: found.text ?? '' }
}

/**
 * The labels of a start: its own, and over them those of the expressions, by name. Where one is null there is no such label. What is said by
 * the start is not for it to say where a definition does.
 */
export function labelsOf(
  expressions: Readonly<Record<string, string>>,
  command: Spoken,
): { readonly labels: Readonly<Record<string, string>> } | LabelFault {
  // An object would drop one that is named `__proto__`.
  const labels = new Map(Object.entries(command.labels ?? {}))
  let names: ReturnType<typeof namesOf> | undefined
  const lazily = () => {
    names ??= namesOf(command)
    return names
  }
  for (const [label, expression] of Object.entries(expressions)) {
    const found = evaluated(expression, command, lazily, LIMITS.labelValueCharactersMax)
    if ('fault' in found) return { label, expression, fault: found.fault }
    if (found.text === undefined) labels.delete(label)
    else labels.set(label, found.text)
    if (labels.size > LIMITS.labelsMax) {
      const fault = `with those of the start they are more than ${LIMITS.labelsMax}`
      return { label, expression, fault }
    }
  }
  return { labels: Object.fromEntries(labels) }
}

function namesOf(command: Spoken) {
  const { labels = {}, owner, key, pool } = command
  return {
    params: fieldsOf(command),
    labels: legible(labels),
    owner,
    key,
    pool: withoutVersion(pool),
  }
}

/** Fewer bytes of parameters than these make no work that is worth a watch. */
const UNWATCHED_BYTES_MAX = 8_192
/** Far longer than any takes that is meant well, on a busy machine too. */
const EVALUATION_MS_MAX = 1_000

function evaluated(
  expression: string,
  { params }: Spoken,
  names: () => ReturnType<typeof namesOf>,
  charactersMax: number,
): { readonly text: string | undefined } | { readonly fault: string } {
  let value: unknown
  try {
    const run = () => parse(expression)(names())
    const isWatched = (params.inline?.length ?? 0) > UNWATCHED_BYTES_MAX
    value = isWatched ? within(EVALUATION_MS_MAX, run) : run()
  } catch (error) {
    const isTooSlow = error instanceof TooSlowError
    return { fault: isTooSlow ? `it takes ${error.message}` : firstLine(error) }
  }
  if (value === null || value === undefined) return { text: undefined }
  const text = textOf(value)
  if (text === undefined) return { fault: 'it is neither a text, a number nor a bool' }
  const fault = faultOfNumber(value) ?? faultOfText(text, charactersMax)
  return fault === undefined ? { text } : { fault }
}

/** Numbers of parameters are those of JavaScript: two that are large might be taken for one. */
function faultOfNumber(value: unknown): string | undefined {
  if (typeof value !== 'number') return undefined
  if (!Number.isFinite(value)) return 'it is no number'
  const isRounded = Number.isInteger(value) && !Number.isSafeInteger(value)
  return isRounded ? 'it is a number too large to be exact: give it as a text' : undefined
}

function faultOfText(text: string, charactersMax: number): string | undefined {
  if (isLonger(text, charactersMax)) return `it has more than ${charactersMax} characters`
  if (!text.isWellFormed()) return 'it has half of a character'
  return text.includes('\0') ? 'it has a NUL character' : undefined
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  const isPlain =
    typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
  return isPlain ? String(value) : undefined
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What is not JSON in its place has no fields. */
function fieldsOf({ params }: Pick<StartCommand, 'params'>): unknown {
  const { inline, address, type } = params
  if (address !== undefined || inline === undefined || inline.length === 0) return {}
  return isJsonType(type) ? legibleFields(utf8.decode(inline)) : {}
}

function parse(text: string): Expression {
  const known = parsed.get(text)
  if (known !== undefined) return known
  const expression = environment.parse(text)
  if (parsed.size >= KEPT_MAX) parsed.clear()
  parsed.set(text, expression)
  return expression
}

/** The first function it calls that it must not; undefined where there is none. */
function functionOf({ op, args }: ASTNode): string | undefined {
  if ((op === 'call' || op === 'rcall') && !FUNCTIONS.has(String(args[0]))) return String(args[0])
  const within: unknown[] = Array.isArray(args) ? args.flat() : [args]
  for (const each of within) {
    const name = isNode(each) ? functionOf(each) : undefined
    if (name !== undefined) return name
  }
  return undefined
}

/** Whether it is the same for every start. */
function refersToNothing({ op, args }: ASTNode): boolean {
  const within: unknown[] = Array.isArray(args) ? args.flat() : [args]
  return op !== 'id' && within.every((each) => !isNode(each) || refersToNothing(each))
}

function fault(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return firstLine(error)
  }
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value
}

/** The library shows the place in lines of its own. */
function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? ''
}
