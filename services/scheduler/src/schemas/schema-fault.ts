/** What is wrong with an announced schema, without compiling it: an executor may announce ten thousand at once. */
import { LIMITS } from '@offstage/proto/limits'
import { createValidator, DIALECT_NAMES, type Dialect, dialectOf } from './dialects.ts'
import { nativePattern } from './patterns.ts'
import { REFERENCES, targetOf } from './weight.ts'

const NO_SCHEMA = 'must be a JSON Schema: an object, true or false, as JSON'
const DEPTH_MAX = 100
const REMEMBERED_MAX = 20_000

const metaValidators = new Map<Dialect, ReturnType<typeof createValidator>>()
/** Those without a fault: executors attach again and again. */
const faultless = new Set<string>()

/** Empty texts stand for none. */
export function schemaFault(text: string): string | undefined {
  if (text === '' || faultless.has(text)) return undefined
  if (Buffer.byteLength(text) > LIMITS.schemaBytesMax) {
    return `must be at most ${LIMITS.schemaBytesMax} bytes`
  }
  const fault = faultOf(text)
  if (fault !== undefined) return fault
  if (faultless.size === REMEMBERED_MAX) faultless.clear()
  if (text.length < 4_096) faultless.add(text)
  return undefined
}

function faultOf(text: string): string | undefined {
  let schema: unknown
  try {
    schema = JSON.parse(text)
  } catch {
    return NO_SCHEMA
  }
  if (typeof schema === 'boolean') return undefined
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return NO_SCHEMA
  const dialect = dialectOf(schema)
  if (dialect === undefined)
    return `must be of a dialect that is known: ${DIALECT_NAMES.join(', ')}`
  return depthFault(schema, DEPTH_MAX) ?? metaFault(schema, dialect) ?? partsFault(schema)
}

function depthFault(node: unknown, left: number): string | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  if (left === 0) return `must not be nested more than ${DEPTH_MAX} levels`
  for (const value of Object.values(node)) {
    const fault = depthFault(value, left - 1)
    if (fault !== undefined) return fault
  }
  return undefined
}

function metaFault(schema: object, dialect: Dialect): string | undefined {
  let validator = metaValidators.get(dialect)
  if (validator === undefined) {
    validator = createValidator(dialect, () => {})
    metaValidators.set(dialect, validator)
  }
  if (validator.validateSchema(schema) === true) return undefined
  const [first] = validator.errors ?? []
  return `must be a JSON Schema: ${first?.instancePath || 'it'} ${first?.message}`.slice(0, 300)
}

/** References lead to places within, since nothing is fetched; patterns are regular expressions. */
function partsFault(schema: object): string | undefined {
  const names = new Set<string>()
  const references: string[] = []
  const patterns: string[] = []
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [name, value] of Object.entries(node)) {
      visit(value)
      if (name === 'patternProperties' && isObject(value)) patterns.push(...Object.keys(value))
      if (typeof value !== 'string') continue
      if (REFERENCES.has(name)) references.push(value)
      else if (name === 'pattern') patterns.push(value)
      else if (name === '$id') names.add(value)
      else if (name.endsWith('nchor')) names.add(`#${value}`)
    }
  }
  visit(schema)
  for (const source of patterns) {
    try {
      nativePattern(source)
    } catch {
      return `has a pattern that is no regular expression: ${source.slice(0, 100)}`
    }
  }
  const lost = references.find((reference) => !leadsWithin(schema, names, reference))
  return lost && `refers to ${lost.slice(0, 200)}, which is not within it: nothing is fetched`
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** A relative reference, or one within a part that has its own `$id`, is left to the compiler. */
function leadsWithin(schema: object, names: ReadonlySet<string>, reference: string): boolean {
  if (targetOf(schema, reference) !== undefined || names.has(reference)) return true
  if (DIALECT_NAMES.includes(reference.replace(/#$/, ''))) return true
  return names.size > 0 && [...names].some((name) => !name.startsWith('#'))
}
