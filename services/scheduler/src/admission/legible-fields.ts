/**
 * Fields that the library for expressions can find. It takes what has a field named `constructor` for an object of some class, and no field of
 * it is there then: whoever adds one to the parameters would be counted with those that have no value.
 */

const MISLEADING = 'constructor'

/** Of the text of JSON: names may be escaped. */
export function mayMislead(text: string): boolean {
  return text.includes(MISLEADING) || text.includes('\\u')
}

/** The value with a Map for each object within it that would be misread; put there in place. */
export function legible(value: unknown): unknown {
  const whole = { value }
  const open: object[] = [whole]
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    for (const [name, inner] of holder instanceof Map ? holder : Object.entries(holder)) {
      if (typeof inner !== 'object' || inner === null) continue
      const isMisleading = Object.hasOwn(inner, MISLEADING)
      const taken = isMisleading ? new Map<string, unknown>(Object.entries(inner)) : inner
      if (isMisleading) put(holder, name, taken)
      open.push(taken)
    }
  }
  return whole.value
}

function put(holder: object, name: string, value: unknown): void {
  if (holder instanceof Map) holder.set(name, value)
  else Object.defineProperty(holder, name, { value, configurable: true, enumerable: true })
}
