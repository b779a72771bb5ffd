import type { StandardSchemaV1 } from '@standard-schema/spec'

/** One thing wrong with a value, as field violations of the API name it (row J2). */
export interface ValueViolation {
  /** Path of the field, such as `params.items.0.name`. */
  readonly field: string
  readonly description: string
}

/** Either the value as the schema gives it (defaults filled in, transformed), or what is wrong. */
export type CheckedValue<T> =
  | { readonly kind: 'valid'; readonly value: T }
  | { readonly kind: 'invalid'; readonly violations: readonly ValueViolation[] }

/**
 * Checks a value against a Standard Schema, naming each offending field (row J2); `root` is the first
 * segment of their paths. Synchronous unless the schema is not.
 */
export function checkValue<T>(
  schema: StandardSchemaV1<unknown, T>,
  value: unknown,
  root: string,
): CheckedValue<T> | Promise<CheckedValue<T>> {
  const checked = schema['~standard'].validate(value)
  return checked instanceof Promise
    ? checked.then((result) => outcomeOf(result, root))
    : outcomeOf(checked, root)
}

function outcomeOf<T>(result: StandardSchemaV1.Result<T>, root: string): CheckedValue<T> {
  if (result.issues === undefined) return { kind: 'valid', value: result.value }
  const violations = result.issues.map(({ path, message }) => ({
    field: [root, ...(path ?? []).map(segmentText)].join('.'),
    description: message,
  }))
  return { kind: 'invalid', violations }
}

function segmentText(segment: PropertyKey | StandardSchemaV1.PathSegment): string {
  return String(typeof segment === 'object' ? segment.key : segment)
}
