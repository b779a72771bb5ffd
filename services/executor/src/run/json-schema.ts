/**
 * The JSON Schema of what a definition takes or returns. It must take all that the definition takes: the scheduler refuses what does
 * not fit it, before anybody else has seen it (row J2). zod says of some schemas only what their outcome is; those are loosened.
 */
import { LIMITS } from '@offstage/proto/limits'
import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'

/**
 * As text. Empty for a schema that cannot say what it is in JSON Schema or says too much: the scheduler then checks nothing, the
 * thread still does before the handler runs.
 */
export function jsonSchemaOf(
  schema: StandardSchemaV1 | undefined,
  side: 'input' | 'output',
): string {
  if (schema === undefined) return ''
  const standard: Partial<StandardJSONSchemaV1.Props> = schema['~standard']
  const libraryOptions = standard.vendor === 'zod' ? { override: loosen } : undefined
  try {
    const options = { target: 'draft-2020-12' as const, libraryOptions }
    const text = JSON.stringify(standard.jsonSchema?.[side](options)) ?? ''
    return Buffer.byteLength(text) <= LIMITS.schemaBytesMax ? text : ''
  } catch {
    return ''
  }
}

interface ZodDef {
  readonly type?: string
  readonly coerce?: boolean
  readonly in?: ZodSchema
  readonly innerType?: ZodSchema
  readonly shape?: Readonly<Record<string, ZodSchema>>
  readonly pattern?: RegExp
  readonly check?: string
  readonly checks?: readonly ZodSchema[]
}
interface ZodSchema {
  readonly _zod: { readonly def: ZodDef }
}
interface Written {
  readonly zodSchema: ZodSchema
  readonly jsonSchema: Record<string, unknown>
}

function loosen({ zodSchema, jsonSchema }: Written): void {
  const { def } = zodSchema._zod
  if (takesAnything(zodSchema)) {
    for (const name of Object.keys(jsonSchema)) delete jsonSchema[name]
    return
  }
  const checks = [def, ...(def.checks ?? []).map(({ _zod }) => _zod.def)]
  // Such as trim: what is checked is not what was given.
  if (checks.some(({ check }) => check === 'overwrite')) keepType(jsonSchema)
  if (checks.some(({ pattern }) => pattern !== undefined && /[imsy]/.test(pattern.flags))) {
    delete jsonSchema.pattern
    delete jsonSchema.allOf
  }
  const { shape } = def
  if (shape !== undefined && Array.isArray(jsonSchema.required)) {
    jsonSchema.required = jsonSchema.required.filter((name: string) => {
      const field = shape[name]
      return field === undefined || field._zod.def.coerce === true || !takesAnything(field)
    })
  }
}

/** It is converted, replaced where it is wrong, or made into something before it is checked. */
function takesAnything({ _zod: { def } }: ZodSchema): boolean {
  if (def.coerce === true || def.type === 'catch') return true
  if (def.type === 'pipe' && def.in !== undefined) {
    return def.in._zod.def.type === 'transform' || takesAnything(def.in)
  }
  return false
}

function keepType(jsonSchema: Record<string, unknown>): void {
  for (const name of Object.keys(jsonSchema)) if (name !== 'type') delete jsonSchema[name]
}
