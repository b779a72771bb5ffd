/**
 * A check of parameters made of an announced schema (row J2).
 *
 * Invariants:
 *  1. Nothing is refused that is not known to be wrong: a schema that cannot be compiled, or makes too much work, checks nothing.
 *  2. No check has the processor longer than `CHECK_MS_MAX`, and a schema that once took so long is not asked again.
 *  3. What is told of a violation comes from the schema and from names of fields, never from values.
 */
import type { Violation } from '@offstage/proto/field-rules'
import type { ErrorObject, ValidateFunction } from 'ajv'
import { createValidator, type Dialect, dialectOf } from './dialects.ts'
import { TooSlowError, within } from './guard.ts'
import { violationsFrom } from './violations.ts'
import { type Weight, weightOf } from './weight.ts'

/** What is wrong with a value of so many bytes; undefined where it fits, or where that is not known. */
export type Check = (value: unknown, bytes: number) => readonly Violation[] | undefined

const COMPILE_MS_MAX = 500
const CHECK_MS_MAX = 100
/** Nodes of the schema times bytes of the value: below it no watch is needed. Some 20 ms. */
const UNWATCHED_MAX = 4_000_000

export function compileCheck(text: string): Check {
  let fitsAnything = false
  try {
    const schema: unknown = JSON.parse(text)
    const dialect = dialectOf(schema)
    if (dialect === undefined || asksForPromise(schema)) return () => undefined
    const { validate, backtracks } = compile(schema, dialect)
    const weight = weightOf(schema)
    return (value, bytes) => {
      if (fitsAnything) return undefined
      try {
        const run = () => errorsOf(validate, value)
        const isWatched = backtracks || workOf(weight, bytes) > UNWATCHED_MAX
        return violationsFrom(isWatched ? within(CHECK_MS_MAX, run) : run())
      } catch (error) {
        // Else it is the value, such as one nested too deep to be followed.
        if (error instanceof TooSlowError) fitsAnything = true
        return undefined
      }
    }
  } catch {
    return () => undefined
  }
}

/** A word of the validator's own: with it errors become rejections that nobody handles, which end the process. */
function asksForPromise(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false
  return Object.hasOwn(node, '$async') || Object.values(node).some(asksForPromise)
}

function compile(schema: unknown, dialect: Dialect) {
  let backtracks = false
  const validate = within(COMPILE_MS_MAX, () => {
    // One that was interrupted believes that it still compiles.
    const validator = createValidator(dialect, () => {
      backtracks = true
    })
    return validator.compile(schema as object | boolean)
  })
  return { validate, backtracks }
}

function errorsOf(validate: ValidateFunction, value: unknown): readonly ErrorObject[] {
  if (validate(value)) return []
  const errors = validate.errors ?? []
  validate.errors = null
  return errors
}

function workOf({ nodes, isQuadratic }: Weight, bytes: number): number {
  return nodes * bytes * (isQuadratic ? bytes / 16 : 1)
}
