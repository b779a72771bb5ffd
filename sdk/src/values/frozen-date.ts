/**
 * `Object.freeze` does not stop `setTime`. A remembered Date gets this prototype, whose setters
 * throw; it stays an `instanceof Date` and reads, serialises and clones as one.
 */
class FrozenDate extends Date {}

for (const name of Object.getOwnPropertyNames(Date.prototype)) {
  if (!name.startsWith('set')) continue
  Object.defineProperty(FrozenDate.prototype, name, {
    value: () => {
      throw new TypeError(`Cannot call ${name} on a date of a reusable value: it is shared`)
    },
  })
}
// reads as Date for whoever looks at the constructor (loggers, assertions)
Object.defineProperty(FrozenDate.prototype, 'constructor', { value: Date })
Object.freeze(FrozenDate.prototype)

/** Whether nothing but the date itself answers when it is read. */
export function isOfDatePrototype(date: Date): boolean {
  const prototype = Object.getPrototypeOf(date)
  return prototype === Date.prototype || prototype === FrozenDate.prototype
}

/** Whether the Date is still an ordinary one, which `freezeDate` can make unchangeable. */
export function isPlainDate(date: Date): boolean {
  return Object.getPrototypeOf(date) === Date.prototype && Object.isExtensible(date)
}

/** Whether the Date was made unchangeable before. */
export function isFrozenDate(date: Date): boolean {
  return Object.getPrototypeOf(date) === FrozenDate.prototype && Object.isFrozen(date)
}

/** In place; the object keeps its identity. */
export function freezeDate(date: Date): void {
  if (isPlainDate(date)) Object.setPrototypeOf(date, FrozenDate.prototype)
  Object.freeze(date)
}
