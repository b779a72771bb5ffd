import type { Violation } from '@offstage/proto/field-rules'
import type { ErrorObject } from 'ajv'

/** What is wrong has to fit into the answer. */
const TOLD_MAX = 10
const FIELD_CHARACTERS_MAX = 200
const DESCRIPTION_CHARACTERS_MAX = 300

/** By path, such as `params.rows.3.name`: a field that should be there, or should not, is named itself. */
export function violationsFrom(errors: readonly ErrorObject[]): Violation[] | undefined {
  if (errors.length === 0) return undefined
  const told = new Map<string, Violation>()
  for (const error of errors) {
    if (told.size === TOLD_MAX) break
    const violation = violationFrom(error)
    const { field, description } = violation
    told.set(`${field} ${description}`, violation)
  }
  return [...told.values()]
}

function violationFrom({ instancePath, keyword, message, params }: ErrorObject): Violation {
  const at = (name?: unknown) => fieldAt(instancePath, name)
  switch (keyword) {
    case 'required':
    case 'dependencies':
    case 'dependentRequired':
      return { field: at(params.missingProperty), description: 'is missing' }
    case 'additionalProperties':
      return { field: at(params.additionalProperty), description: 'is not known' }
    case 'unevaluatedProperties':
      return { field: at(params.unevaluatedProperty), description: 'is not known' }
    case 'propertyNames':
      return { field: at(params.propertyName), description: 'has a name that does not fit' }
    case 'false schema':
      return { field: at(), description: 'must not be there' }
    case 'enum':
      return { field: at(), description: cut(`must be one of ${texts(params.allowedValues)}`) }
    case 'const':
      return { field: at(), description: cut(`must be ${JSON.stringify(params.allowedValue)}`) }
    default:
      return { field: at(), description: cut(message ?? 'does not fit') }
  }
}

function texts(values: unknown): string {
  return Array.isArray(values)
    ? values
        .slice(0, 20)
        .map((value) => JSON.stringify(value))
        .join(', ')
    : 'the values allowed'
}

function cut(text: string): string {
  return text.length <= DESCRIPTION_CHARACTERS_MAX
    ? text
    : `${text.slice(0, DESCRIPTION_CHARACTERS_MAX)}…`.toWellFormed()
}

/** From a JSON pointer, as the SDK names fields. */
function fieldAt(pointer: string, name: unknown): string {
  const parts = pointer.split('/').slice(1)
  const names = parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (typeof name === 'string') names.push(name)
  const field = ['params', ...names].join('.')
  if (field.length <= FIELD_CHARACTERS_MAX) return field
  return `${field.slice(0, FIELD_CHARACTERS_MAX)}…`.toWellFormed()
}
