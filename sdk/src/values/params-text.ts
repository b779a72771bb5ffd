/**
 * Parameters as one canonical text that another process can read back: equal parameters give the
 * same text. For the ports that cross processes (rows C6, C8); lookups inside a process never build
 * it.
 */
import { appendParameter } from './components.ts'
import { defineReference, identityOf, reference } from './references.ts'

/**
 * The text of a parameter list; undefined when one of them does not compare by content (row C2).
 */
export function paramsToText(params: readonly unknown[]): string | undefined {
  if (!params.every((param) => appendParameter([], param))) return
  return JSON.stringify(params.map(encode))
}

/** The text of one parameter; undefined when it does not compare by content. */
export function paramToText(param: unknown): string | undefined {
  return appendParameter([], param) ? JSON.stringify(encode(param)) : undefined
}

/**
 * The parameters a text stands for. References come back as bare ones (`defineReference`).
 * Throws a TypeError on a text that `paramsToText` did not make.
 */
export function paramsFromText(text: string): unknown[] {
  const list: unknown = JSON.parse(text)
  if (!Array.isArray(list)) throw new TypeError('Parameters text is not a list')
  return list.map(decode)
}

/** The same of a text that anybody may have written; undefined where no parameters that compare by content are read from it. */
export function readableParams(text: string): readonly unknown[] | undefined {
  try {
    const params = paramsFromText(text)
    return paramsToText(params) === undefined ? undefined : params
  } catch {
    return undefined
  }
}

/** Strings, booleans and null stand for themselves; everything else is a tagged tuple. */
function encode(value: unknown): unknown {
  switch (typeof value) {
    case 'undefined':
      return ['undefined']
    case 'number':
      return ['number', Object.is(value, -0) ? '-0' : String(value)]
    case 'bigint':
      return ['bigint', String(value)]
    case 'object':
      return value === null ? null : encodeObject(value)
    default:
      return value
  }
}

function encodeObject(value: object): unknown {
  if (value instanceof Date) return ['date', encode(value.getTime())]
  const identity = reference in value ? identityOf(value) : undefined
  if (identity !== undefined) return ['reference', identity.type, encode(identity.id)]
  const properties = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return ['structure', properties.map(([name, property]) => [name, encode(property)])]
}

function decode(value: unknown): unknown {
  if (!Array.isArray(value)) return value
  const [tag, first, second] = value
  switch (tag) {
    case 'undefined':
      return undefined
    case 'number':
      return Number(first)
    case 'bigint':
      return BigInt(String(first))
    case 'date':
      return new Date(Number(decode(first)))
    case 'reference':
      return defineReference(String(first), decode(second) as string | number | bigint)
    case 'structure':
      // fromEntries defines own properties, so a property named __proto__ stays a property
      return Object.fromEntries(
        (first as [string, unknown][]).map(([name, property]) => [name, decode(property)]),
      )
    default:
      throw new TypeError(`Parameters text has an unknown tag ${String(tag)}`)
  }
}
