import type { z } from 'zod'

/** One environment variable: its name, what it may hold, and what it is for. */
export interface Variable<T> {
  readonly name: string
  /** Gets the text, or undefined for an absent variable: `.default(…)` and `.optional()` apply. */
  readonly schema: z.ZodType<T, string | undefined>
  readonly description: string
  /** Its value is shown nowhere. */
  readonly secret: boolean
}

/** The values that a record of variables makes. */
export type ConfigOf<F extends Record<string, Variable<unknown>>> = Readonly<{
  [K in keyof F]: F[K] extends Variable<infer T> ? T : never
}>

/** Describes an environment variable for `readConfig`. */
export function variable<T>(
  name: string,
  schema: z.ZodType<T, string | undefined>,
  about: { description: string; secret?: boolean },
): Variable<T> {
  return { name, schema, description: about.description, secret: about.secret ?? false }
}
