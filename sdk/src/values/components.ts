/**
 * Parameters as a sequence of components (row C2): equal parameters give equal sequences, different
 * ones different sequences, so a key built from them cannot collide.
 *
 * Scalars are their own component. Whatever needs more is announced by a marker that no caller can
 * hold:
 *   -0         NEGATIVE_ZERO   (apart from 0, because `1 / x` tells them apart)
 *   Date       DATE, time               (all invalid dates are equal)
 *   reference  REFERENCE, type, id
 *   structure  its Shape, then the values in the shape's canonical order
 *   nothing    NOTHING                  (`f()` and `f(undefined)` are apart)
 * Read from the left, every component says how many belong to it: the sequence can be decoded,
 * which is why two parameter lists of equal length never share one, and none is the beginning of
 * another.
 *
 * Equal means: same type and `Object.is`, dates by time, references by type and id, structures by
 * the same enumerable own properties (a missing property differs from an undefined one) with equal
 * values.
 *
 * Not compared by content, hence never remembered: arrays, nested structures, functions, symbols,
 * class instances without a declared identity, objects without a prototype or with symbol
 * properties, and more than `PARAMETERS_MAX` parameters.
 */

import { isOfDatePrototype } from './frozen-date.ts'
import { identityOf, reference } from './references.ts'
import { types } from './runtime.ts'
import { Shape, shapeOf } from './shapes.ts'

export type Scalar = string | number | boolean | bigint | undefined | null
export type Component = Scalar | symbol | Shape

export const NEGATIVE_ZERO = Symbol('-0')
export const DATE = Symbol('date')
export const REFERENCE = Symbol('reference')
export const NOTHING = Symbol('no parameters')

/** Longer parameter lists are not compared by content. */
export const PARAMETERS_MAX = 100

const ordinary = Object.prototype

/** Appends the components of one parameter; false when it does not compare by content. */
export function appendParameter(components: Component[], parameter: unknown): boolean {
  if (appendScalar(components, parameter)) return true
  return typeof parameter === 'object' && parameter !== null
    ? appendStructure(components, parameter)
    : false
}

function appendStructure(components: Component[], structure: object): boolean {
  if (Object.getPrototypeOf(structure) !== ordinary) return false
  if (Object.getOwnPropertySymbols(structure).length > 0) return false
  const shape = shapeOf(Object.keys(structure))
  if (shape === undefined) return false
  components.push(shape)
  const { names } = shape
  for (let i = 0; i < names.length; i++) {
    const value = (structure as Record<string, unknown>)[names[i] as string]
    if (!appendScalar(components, value)) return false
  }
  return true
}

/** Scalars, dates and references: what a parameter or a property of a structure may be. */
function appendScalar(components: Component[], value: unknown): boolean {
  switch (typeof value) {
    case 'number':
      components.push(value === 0 && Object.is(value, -0) ? NEGATIVE_ZERO : value)
      return true
    case 'string':
    case 'boolean':
    case 'bigint':
    case 'undefined':
      components.push(value)
      return true
    case 'object':
      if (value === null) {
        components.push(null)
        return true
      }
      return appendIdentified(components, value)
    default:
      return false
  }
}

function appendIdentified(components: Component[], value: object): boolean {
  if (value instanceof Date) {
    if (!types.isDate(value) || !isOfDatePrototype(value)) return false
    if (Reflect.ownKeys(value).length > 0) return false
    components.push(DATE, value.getTime())
    return true
  }
  if (!(reference in value)) return false
  const identity = identityOf(value)
  if (identity === undefined) return false
  const { type, id } = identity
  components.push(REFERENCE, type, Object.is(id, -0) ? NEGATIVE_ZERO : id)
  return true
}

/**
 * The parameters that `components` stand for, as objects of nobody else: the caller may change his
 * own while the function still reads. References stay the objects they are.
 *
 * @param from where the components of the first parameter begin
 */
export function detachParameters(
  params: readonly unknown[],
  components: readonly Component[],
  from: number,
): readonly unknown[] {
  if (!params.some(isObject)) return params
  const reader = { components, at: from }
  return params.map((param) => readParameter(reader, param))
}

interface Reader {
  readonly components: readonly Component[]
  at: number
}

function readParameter(reader: Reader, original: unknown): unknown {
  const component = reader.components[reader.at]
  if (!(component instanceof Shape)) return readScalar(reader, original)
  reader.at++
  const structure: Record<string, unknown> = {}
  for (const name of component.names) {
    const value = readScalar(reader, (original as Record<string, unknown>)[name])
    // defined, so that a property named __proto__ stays a property
    Object.defineProperty(structure, name, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    })
  }
  return structure
}

function readScalar(reader: Reader, original: unknown): unknown {
  const component = reader.components[reader.at++]
  switch (component) {
    case NEGATIVE_ZERO:
      return -0
    case DATE:
      return new Date(reader.components[reader.at++] as number)
    case REFERENCE:
      reader.at += 2
      return original
    default:
      return component
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
