/**
 * Objects with a declared stable identity (row C2): two of them with the same type and id are the
 * same parameter, whatever else they hold.
 */

/**
 * Property under which an object declares its identity: `get [reference]() { return { type, id }
 * }`.
 */
export const reference: unique symbol = Symbol.for('offstage.values.reference')

/** A stable identity. `id` compares by content; `1`, `1n` and `'1'` are three ids. */
export interface ReferenceIdentity {
  readonly type: string
  readonly id: string | number | bigint
}

/** An object that may be a parameter of a reusable function because it declares who it is. */
export interface Referable {
  readonly [reference]: ReferenceIdentity
}

/** A bare reference, for when there is no object to carry it. Frozen. */
export function defineReference(type: string, id: string | number | bigint): Referable {
  return Object.freeze({ [reference]: Object.freeze({ type, id }) })
}

/** The declared identity of `value`; undefined when it declares none or a malformed one. */
export function identityOf(value: object): ReferenceIdentity | undefined {
  const identity = (value as Partial<Referable>)[reference]
  if (identity === undefined || identity === null || typeof identity.type !== 'string') return
  const kind = typeof identity.id
  return kind === 'string' || kind === 'number' || kind === 'bigint' ? identity : undefined
}
