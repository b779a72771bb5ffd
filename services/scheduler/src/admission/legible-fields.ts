/**
 * Fields that the library for expressions can read, whoever sends them.
 *
 *  1. It takes what has a field named `constructor` for an object of some class, and no field of it is there then: whoever adds one to the
 *     parameters would be counted with those that have no value.
 *  2. It makes a type of what it compares or converts, and of all that is within, one for each level, and keeps it for good: that of a
 *     list in lists of 64 KiB takes minutes and gigabytes.
 */

const MISLEADING = 'constructor'

/** Levels of lists and objects, the first of which is the whole. */
export const FIELD_LEVELS_MAX = 10

/** Stands for a list or object below those; what the library is to do with it fails, and says its name. */
class NestedTooDeep {}

/** Parses JSON. @throws SyntaxError */
export function legibleFields(json: string): unknown {
  const fields: unknown = JSON.parse(json)
  return isPlain(json) ? fields : legible(fields)
}

/** Whether its text shows that there is nothing to look for. Names may be escaped. */
function isPlain(json: string): boolean {
  if (json.includes(MISLEADING) || json.includes('\\u')) return false
  return json.split(/[[{]/, FIELD_LEVELS_MAX + 2).length <= FIELD_LEVELS_MAX + 1
}

/** The value with a Map for each object within it that would be misread; put there in place. */
export function legible(value: unknown): unknown {
  const whole = { value }
  let level: object[] = [whole]
  for (let above = 0; level.length > 0; above += 1) {
    const next: object[] = []
    for (const holder of level) {
      for (const [name, inner] of holder instanceof Map ? holder : Object.entries(holder)) {
        if (typeof inner !== 'object' || inner === null) continue
        const taken = above < FIELD_LEVELS_MAX ? readable(inner) : new NestedTooDeep()
        if (taken !== inner) put(holder, name, taken)
        if (above < FIELD_LEVELS_MAX) next.push(taken)
      }
    }
    level = next
  }
  return whole.value
}

function readable(value: object): object {
  return Object.hasOwn(value, MISLEADING) ? new Map(Object.entries(value)) : value
}

function put(holder: object, name: string, value: unknown): void {
  if (holder instanceof Map) holder.set(name, value)
  else Object.defineProperty(holder, name, { value, configurable: true, enumerable: true })
}
