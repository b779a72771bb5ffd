/** Whether two values that could be stored are the same; a field that is undefined counts as none, and bytes by what is in them. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Date || b instanceof Date) {
    return a instanceof Date && b instanceof Date && a.getTime() === b.getTime()
  }
  if (ArrayBuffer.isView(a) !== ArrayBuffer.isView(b) || Array.isArray(a) !== Array.isArray(b)) {
    return false
  }
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  if ((ArrayBuffer.isView(a) || Array.isArray(a)) && left.length !== right.length) return false
  const names = new Set([...Object.keys(left), ...Object.keys(right)])
  return [...names].every((name) => sameValue(left[name], right[name]))
}
