/** The regular expressions of announced schemas: in linear time wherever they can be, since whoever announces them is not trusted with ours. */
import { RE2JS } from 're2js'

export interface Pattern {
  test(text: string): boolean
  /** Patterns that are equal as texts are one to the compiler. */
  toString(): string
}

/** What RE2 knows as fewer characters than JavaScript does, which would refuse what fits. */
const READ_OTHERWISE = /\\[sSbB]/

/** `onBacktracking` hears of each that RE2 does not know, such as one that looks ahead: it may take any time. */
export function compilePattern(source: string, onBacktracking: () => void): Pattern {
  const asText = { toString: () => `/${source}/` }
  if (!READ_OTHERWISE.test(source)) {
    try {
      const linear = RE2JS.compile(RE2JS.translateRegExp(source))
      return { test: (text) => linear.test(text), ...asText }
    } catch {
      // Not one of RE2's.
    }
  }
  const native = nativePattern(source)
  onBacktracking()
  return { test: (text) => native.test(text), ...asText }
}

/** Throws a SyntaxError for what is no regular expression. */
export function nativePattern(source: string): RegExp {
  try {
    return new RegExp(source, 'u')
  } catch {
    return new RegExp(source)
  }
}
