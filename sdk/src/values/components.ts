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
 * properties.
 */
import { identityOf, reference } from './references.ts'
import { type Shape, shapeOf } from './shapes.ts'

export type Scalar = string | number | boolean | bigint | undefined | null
export type Component = Scalar | symbol | Shape

export const NEGATIVE_ZERO = Symbol('-0')
export const DATE = Symbol('date')
export const REFERENCE = Symbol('reference')
export const NOTHING = Symbol('no parameters')

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
    if (Object.getPrototypeOf(value) !== Date.prototype) return false
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
