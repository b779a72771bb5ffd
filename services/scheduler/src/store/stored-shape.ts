/**
 * Shapes of what is stored as JSON. Each names its fields once, as they stand in the rows; what is written carries the
 * version of its shape, and what is read is checked, so that an old row is never misread and a strange one never passed on.
 *
 * A field that is added is one entry here: old rows go without it, and replicas of the release before pass over it. To rename
 * one in the domain, keep its stored name with `as`. Anything else is a new version: the old one stays readable, and the
 * release that reads the new one goes out before the one that writes it.
 */

export interface Field<T> {
  /** Its name in the rows, where the domain has come to call it something else. */
  readonly as?: string
  readonly required?: true
  /** Undefined when the stored value is none of this kind. */
  read(stored: unknown): T | undefined
  /** Default: as it is. */
  write?(value: T): unknown
}

export type Fields<T> = { readonly [K in keyof T]-?: Field<NonNullable<T[K]>> }

export interface Shape<T> {
  /** Ready for JSON.stringify. */
  write(value: T): Record<string, unknown>
  /** Throws a StoredShapeError. */
  read(stored: unknown): T
}

/** A row holds what this release cannot read: it was written by a newer one, or by hand. */
export class StoredShapeError extends Error {
  override readonly name = 'StoredShapeError'
}

/** For rows that are told of as far as they can be read: undefined for what cannot be, and `faults` says what it was. */
export function readWhatCan<T>(
  read: (stored: unknown) => T,
  stored: unknown,
  faults: string[],
): T | undefined {
  try {
    return read(stored)
  } catch (error) {
    if (!(error instanceof StoredShapeError)) throw error
    faults.push(error.message)
    return undefined
  }
}

export function createShape<T extends object>(
  what: string,
  version: number,
  fields: Fields<T>,
): Shape<T> {
  const inner = createFields(what, fields)
  return {
    write: (value) => inner.write(value, { v: version }),
    read(stored) {
      const found = isRecord(stored) ? stored.v : undefined
      if (found === version) return inner.read(stored as Record<string, unknown>)
      throw new StoredShapeError(
        `stored ${what} have version ${shown(found)}, this release reads ${version}`,
      )
    },
  }
}

interface Entry {
  readonly name: string
  readonly field: Field<unknown>
}

function createFields<T extends object>(what: string, fields: Fields<T>) {
  const byName = new Map<string, Entry>()
  const byStored = new Map<string, Entry>()
  const required: string[] = []
  for (const [name, field] of Object.entries<Field<unknown>>(fields as never)) {
    const stored = field.as ?? name
    byName.set(name, { name: stored, field })
    byStored.set(stored, { name, field })
    if (field.required) required.push(stored)
  }
  return {
    write(value: T, into: Record<string, unknown> = {}): Record<string, unknown> {
      for (const name in value) {
        const inner = value[name]
        const entry = byName.get(name)
        if (inner === undefined || entry === undefined) continue
        into[entry.name] = entry.field.write ? entry.field.write(inner) : inner
      }
      return into
    },
    read(stored: Record<string, unknown>): T {
      const value: Record<string, unknown> = {}
      for (const name in stored) {
        const entry = byStored.get(name)
        if (entry === undefined) continue
        const inner = entry.field.read(stored[name])
        if (inner === undefined) throw fault(what, name, `is ${shown(stored[name])}`)
        value[entry.name] = inner
      }
      for (const name of required) {
        if (stored[name] === undefined) throw fault(what, name, 'is missing')
      }
      return value as T
    },
  }
}

function fault(what: string, field: string, how: string): StoredShapeError {
  return new StoredShapeError(`stored ${what}: the field ${field} ${how}`)
}

/** Texts may be long, and are not for everybody who is told of the fault. */
function shown(stored: unknown): string {
  if (typeof stored === 'string') return 'a text'
  if (Array.isArray(stored)) return 'a list'
  return isRecord(stored) ? 'an object' : String(stored)
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const text: Field<string> = {
  read: (stored) => (typeof stored === 'string' ? stored : undefined),
}

export const texts: Field<readonly string[]> = {
  read: (stored) =>
    Array.isArray(stored) && stored.every((each) => typeof each === 'string') ? stored : undefined,
}

export const number: Field<number> = {
  read: (stored) => (typeof stored === 'number' ? stored : undefined),
}

export const flag: Field<boolean> = {
  read: (stored) => (typeof stored === 'boolean' ? stored : undefined),
}

/** A closed list of values: a new one is a new version of its shape. */
export function oneOf<T>(values: readonly T[]): Field<T> {
  return { read: (stored) => values.find((value) => value === stored) }
}

export const base64: Field<Uint8Array> = {
  read: (stored) => (typeof stored === 'string' ? Buffer.from(stored, 'base64') : undefined),
  write: (bytes) =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
}

/** Of any names. */
export const namedTexts: Field<Readonly<Record<string, string>>> = {
  read: (stored) =>
    isRecord(stored) && Object.values(stored).every((value) => typeof value === 'string')
      ? (stored as Record<string, string>)
      : undefined,
}

export function required<T>(field: Field<T>): Field<T> {
  return { ...field, required: true }
}

/** Fields within a field; its shape is of the version of the whole. */
export function nested<T extends object>(what: string, fields: Fields<T>): Field<T> {
  const inner = createFields(what, fields)
  return {
    read: (stored) => (isRecord(stored) ? inner.read(stored) : undefined),
    write: (value) => inner.write(value),
  }
}
