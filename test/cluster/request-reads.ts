/**
 * Which fields of its requests a service looks at: a field nobody reads is one that callers set in vain. Messages are handed on
 * as proxies that note each field by its message's name, such as `JobSpec.pool`.
 */
import { type DescField, type DescMessage, loadRegistry } from '@offstage/proto/descriptor-files'
import type { AnyRpc } from './any-rpc.ts'

type AnyObject = Record<string, unknown>

export interface FieldOfRequest {
  /** Its message and name, such as `JobSpec.pool`. */
  readonly name: string
  readonly field: DescField
}

/** Google's own messages are values to us. */
function messageOf(field: DescField): DescMessage | undefined {
  const { message } = field
  if (field.fieldKind === 'map' || message === undefined) return undefined
  return message.typeName.startsWith('google.') ? undefined : message
}

/** All fields that a message and those within it have. */
export function fieldsOf(
  type: DescMessage,
  found = new Map<string, FieldOfRequest>(),
): Map<string, FieldOfRequest> {
  for (const field of type.fields) {
    const name = `${type.name}.${field.name}`
    if (found.has(name)) continue
    found.set(name, { name, field })
    const inner = messageOf(field)
    if (inner !== undefined) fieldsOf(inner, found)
  }
  return found
}

export interface PlaceOfEnum extends FieldOfRequest {
  /** In words, such as `hello.methods.0.lane`. */
  readonly path: string
  /** The requests with a number there that the enum does not know. */
  readonly requests: readonly object[]
}

/** An enum is told as a number; none has this one. */
const UNKNOWN = 99

/** Every place of an enum in the requests. */
export function placesOfEnums(type: DescMessage, requests: readonly object[]): PlaceOfEnum[] {
  return requests.flatMap((request, index) =>
    placesIn(type, request).map(({ changed, ...place }) => ({
      ...place,
      requests: requests.with(index, changed),
    })),
  )
}

type Changed = FieldOfRequest & { readonly path: string; readonly changed: object }

function placesIn(type: DescMessage, message: object): Changed[] {
  const values = message as AnyObject
  return type.fields.flatMap((field): Changed[] => {
    const { localName, oneof } = field
    const name = `${type.name}.${field.name}`
    const chosen = oneof && (values[oneof.localName] as { $case: string; value: unknown })
    if (chosen && chosen.$case !== localName) return []
    const value = chosen ? chosen.value : values[localName]
    const put = (inner: unknown): object =>
      oneof
        ? { ...values, [oneof.localName]: { $case: localName, value: inner } }
        : { ...values, [localName]: inner }
    if (field.enum !== undefined) {
      const changed = put(field.fieldKind === 'list' ? [UNKNOWN] : UNKNOWN)
      return [{ name, field, path: field.name, changed }]
    }
    const inner = messageOf(field)
    if (inner === undefined || value === undefined || value === null) return []
    const within = (one: object, put: (changed: object) => object, at: string) =>
      placesIn(inner, one).map((place) => ({
        ...place,
        path: `${at}.${place.path}`,
        changed: put(place.changed),
      }))
    if (!Array.isArray(value)) return within(value, put, field.name)
    return value.flatMap((one, index) =>
      within(one, (changed) => put(value.with(index, changed)), `${field.name}.${index}`),
    )
  })
}

function watched(type: DescMessage, value: object, note: (name: string) => void): object {
  const within = (field: DescField, inner: unknown): unknown => {
    const message = messageOf(field)
    if (message === undefined || inner === undefined || inner === null) return inner
    if (!Array.isArray(inner)) return watched(message, inner, note)
    return inner.map((one) => watched(message, one, note))
  }
  return new Proxy(value as AnyObject, {
    get(target, key) {
      const found = target[String(key)]
      const field = type.fields.find(({ localName }) => localName === key)
      if (field !== undefined && field.oneof === undefined) {
        note(`${type.name}.${field.name}`)
        return within(field, found)
      }
      const oneof = type.oneofs.find(({ localName }) => localName === key)
      if (oneof === undefined || found === undefined) return found
      const { $case, value } = found as { $case: string; value: unknown }
      const chosen = oneof.fields.find(({ localName }) => localName === $case)
      if (chosen === undefined) return found
      return {
        $case,
        get value() {
          note(`${type.name}.${chosen.name}`)
          return within(chosen, value)
        },
      }
    },
  })
}

/** From here on the RPC's requests are watched; `read` fills with the fields that are looked at. */
export function watchRequests({ definition }: AnyRpc): { input: DescMessage; read: Set<string> } {
  const [, service = '', method = ''] = definition.path.split('/')
  const found = registry.getService(service)?.methods.find(({ name }) => name === method)
  if (found === undefined) throw new Error(`${definition.path} has no descriptor`)
  const read = new Set<string>()
  const { requestDeserialize } = definition
  const changeable: { requestDeserialize: typeof requestDeserialize } = definition
  changeable.requestDeserialize = (bytes) =>
    watched(found.input, requestDeserialize(bytes), (name) => read.add(name))
  return { input: found.input, read }
}

const registry = loadRegistry()
