/**
 * Checks manifests against the schemas of Kubernetes and of the operators that some overlays need, as an API server would that
 * refuses unknown fields.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'
import { type Manifest, nameOf } from './manifests.ts'

type Schema = { [key: string]: unknown }

interface CustomResource {
  readonly kind: string
  readonly spec: {
    readonly group: string
    readonly names: { readonly kind: string }
    readonly versions: readonly {
      readonly name: string
      readonly schema: { readonly openAPIV3Schema: Schema }
    }[]
  }
}

interface KindName {
  readonly group: string
  readonly version: string
  readonly kind: string
}

const FOLDER = new URL('schemas/', import.meta.url)
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

let validators: ReadonlyMap<string, ValidateFunction> | undefined

/** What the schemas find wrong, a line each. */
export function schemaFaults(manifest: Manifest): string[] {
  const { apiVersion, kind } = manifest
  validators ??= createValidators()
  const validate = validators.get(`${apiVersion} ${kind}`)
  if (validate === undefined) return [`${nameOf(manifest)}: no schema of ${apiVersion} ${kind}`]
  if (validate(manifest)) return []
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const more = params.additionalProperty ?? params.allowedValues?.join(', ')
    return `${nameOf(manifest)}: ${instancePath} ${message}${more ? ` (${more})` : ''}`
  })
}

function createValidators(): ReadonlyMap<string, ValidateFunction> {
  // The formats and extensions of Kubernetes say nothing that could be checked here.
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true, code: { regExp } })
  const { definitions } = read('kubernetes.json') as { definitions: Record<string, Schema> }
  ajv.addSchema({ $id: 'kubernetes', definitions: closed(definitions, true) })
  const found = new Map<string, ValidateFunction>()
  for (const [name, definition] of Object.entries(definitions)) {
    for (const { group, version, kind } of namesOf(definition)) {
      const validate = ajv.compile({ $ref: `kubernetes#/definitions/${name}` })
      found.set(`${group === '' ? version : `${group}/${version}`} ${kind}`, validate)
    }
  }
  for (const file of readdirSync(FOLDER)) {
    if (file === 'kubernetes.json') continue
    const { spec } = read(file) as unknown as CustomResource
    for (const { name, schema } of spec.versions) {
      const own = closed(schema.openAPIV3Schema) as Schema & { properties: Schema }
      own.properties.metadata = { $ref: `kubernetes#/definitions/${OBJECT_META}` }
      found.set(`${spec.group}/${name} ${spec.names.kind}`, ajv.compile(own))
    }
  }
  return found
}

/** Patterns are those of Go, which have flags within. */
const regExp = Object.assign(
  (pattern: string) => {
    const bare = pattern.replace('(?i)', '')
    return new RegExp(bare, bare === pattern ? 'u' : 'iu')
  },
  { code: 'new RegExp' },
)

/** Under which names a definition is that of a manifest. */
function namesOf(definition: Schema): readonly KindName[] {
  return (definition['x-kubernetes-group-version-kind'] ?? []) as KindName[]
}

function read(file: string): Schema {
  return JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'))
}

/** Say more about what is described elsewhere, and name only some of its properties. */
const CONDITIONS = ['allOf', 'anyOf', 'oneOf', 'not']

/** The schema with no other properties than those it names. */
function closed(schema: unknown, areNames = false): unknown {
  if (Array.isArray(schema)) return schema.map((each) => closed(each))
  if (schema === null || typeof schema !== 'object') return schema
  const entries = Object.entries(schema).map(([key, each]) => [
    key,
    CONDITIONS.includes(key) && !areNames ? each : closed(each, key === 'properties' && !areNames),
  ])
  const copy = Object.fromEntries(entries) as Schema
  const isOpen =
    areNames ||
    copy.properties === undefined ||
    copy.additionalProperties !== undefined ||
    copy['x-kubernetes-preserve-unknown-fields'] === true
  return isOpen ? copy : { ...copy, additionalProperties: false }
}
