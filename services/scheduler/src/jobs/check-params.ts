/** Whether parameters fit what executors announced of the method (row J2). */
import { isJsonType, type Violation } from '@offstage/proto/field-rules'
import type { MethodTerms } from '../domain/method-definition.ts'
import type { Payload } from '../domain/start-command.ts'
import { schemaId } from '../executors/schema-id.ts'
import type { Checks } from '../schemas/checks.ts'

/** Either they fit one schema at least, and these not; or none, and this is what the newest says. */
export type Fit =
  | { readonly misfits: readonly string[] | undefined }
  | { readonly violations: readonly Violation[] }

const FITS: Fit = { misfits: undefined }
const EMPTY_OBJECT_BYTES = 2

/** Costs nothing where no schema is known. Only JSON in place is looked at. */
export function checkParams(checks: Checks, params: Payload, terms: MethodTerms): Fit {
  const { paramsSchema = '', earlierParamsSchemas: earlier } = terms
  if (paramsSchema === '' && earlier === undefined) return FITS
  if (params.address !== undefined || !isJsonType(params.type)) return FITS
  let value: unknown = {}
  try {
    if (params.inline !== undefined && params.inline.length > 0) value = parse(params.inline)
  } catch {
    return { violations: [{ field: 'params', description: 'is not JSON in UTF-8' }] }
  }
  const bytes = params.inline?.length ?? EMPTY_OBJECT_BYTES
  const against = (schema: string) =>
    schema === '' ? undefined : checks.violationsOf(schema, value, bytes)
  const violations = against(paramsSchema)
  if (earlier === undefined) return violations === undefined ? FITS : { violations }
  const misfits = earlier.filter((schema) => against(schema) !== undefined)
  if (violations === undefined) {
    return misfits.length === 0 ? FITS : { misfits: misfits.map(schemaId) }
  }
  if (misfits.length === earlier.length) return { violations }
  return { misfits: [paramsSchema, ...misfits].map(schemaId) }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parse(inline: Uint8Array): unknown {
  return JSON.parse(utf8.decode(inline))
}
