/** A value that cannot travel: what is wrong with it, and where. */
export class NotEncodableError extends TypeError {
  override readonly name: string = 'NotEncodableError'
  /** Keys from the value to what is wrong, such as `items.0.count`; empty for the value itself. */
  readonly path: string
  /** What is wrong, such as `a bigint has no JSON`. */
  readonly problem: string

  constructor(path: string, problem: string, cause?: unknown) {
    super(path === '' ? problem : `${path}: ${problem}`, { cause })
    this.path = path
    this.problem = problem
  }
}

/** Names the field for which `JSON.stringify(value)` threw: writes it once more and looks how far that comes. */
export function notEncodable(value: unknown, thrown: unknown): NotEncodableError {
  // The path to what is too deep would be as long as it is deep.
  if (thrown instanceof RangeError) return new NotEncodableError('', boundOf(thrown), thrown)
  const paths = new Map<unknown, string>()
  let last = { path: '', value }
  try {
    JSON.stringify(value, function (this: unknown, key: string, inner: unknown) {
      const above = paths.get(this) ?? ''
      last = { path: above === '' ? key : `${above}.${key}`, value: inner }
      if (typeof inner === 'object') paths.set(inner, last.path)
      return inner
    })
  } catch {}
  return new NotEncodableError(last.path, problemOf(last.value, thrown), thrown)
}

/** What is too large for the engine: its stack, or a text (about 512 MiB). */
function boundOf({ message }: RangeError): string {
  if (/string length/i.test(message)) return 'is too long for a text; pass bytes instead'
  return /call stack/i.test(message) ? 'is nested too deep' : `cannot be written: ${message}`
}

function problemOf(value: unknown, thrown: unknown): string {
  if (typeof value === 'bigint') return 'JSON has no bigint; send it as a text or a number'
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  if (/circular/i.test(text)) return 'refers back to what it is a part of, which JSON cannot'
  return `cannot be written as JSON: ${text}`
}
