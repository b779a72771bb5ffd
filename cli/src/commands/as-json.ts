/**
 * A value as JSON for people: what JSON has not, and CBOR brings, is told as well as it can be. Maps are lists of their entries, sets lists,
 * bytes base64, big integers and numbers that are none texts.
 */
export function asJson(value: unknown): string {
  return JSON.stringify(value, shownAs, 2)
}

function shownAs(_key: string, value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return value.toString()
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'object':
      return value === null ? value : shownObject(value)
    default:
      return value
  }
}

function shownObject(value: object): unknown {
  if (value instanceof Map || value instanceof Set) return [...value]
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') }
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as never)
  return value
}
