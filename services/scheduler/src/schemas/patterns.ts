/** The regular expressions of announced schemas: in linear time wherever they can be, since whoever announces them is not trusted with ours. */
import { RE2JS } from 're2js'

export interface Pattern {
  test(text: string): boolean
  /** Patterns that are equal as texts are one to the compiler. */
  toString(): string
}

/**
 * What RE2 reads as fewer characters than JavaScript does, which would refuse what fits: spaces and borders, references back by name, halves of a
 * character, and `[:alpha:]`.
 */
const READ_OTHERWISE = /\\[sSbBk]|\\u[dD][89a-fA-F]|\[:/

/** `onBacktracking` hears of each that RE2 does not know, such as one that looks ahead: it may take any time. */
export function compilePattern(source: string, onBacktracking: () => void): Pattern {
  const asText = { toString: () => `/${source}/` }
  const native = nativePattern(source)
  // Read leniently `\a` is the letter and `\Q` begins no quotation; RE2 has other escapes.
  if (native.unicode && !READ_OTHERWISE.test(source)) {
    try {
      const linear = RE2JS.compile(RE2JS.translateRegExp(source))
      return { test: (text) => linear.test(text), ...asText }
    } catch {
      // Not one of RE2's.
    }
  }
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
