const quoteCode = 34
const backslash = '\\'

/**
 * Reads a PostgreSQL array literal of one dimension, as the server writes it, lower bound included
 * or not. NULL becomes null. An array of more dimensions is refused with a RangeError.
 */
export function parseArrayLiteral<T>(literal: string, parse: (text: string) => T): (T | null)[] {
  const elements: (T | null)[] = []
  const end = literal.length - 1
  let at = literal.indexOf('{') + 1
  while (at < end) {
    if (literal.charCodeAt(at) === quoteCode) {
      const close = closingQuote(literal, at + 1)
      elements.push(parse(unescaped(literal.slice(at + 1, close))))
      at = close + 2
    } else {
      const comma = literal.indexOf(',', at)
      const close = comma === -1 ? end : comma
      const text = literal.slice(at, close)
      if (text.startsWith('{')) throw new RangeError('an array of several dimensions in a result')
      elements.push(text === 'NULL' ? null : parse(text))
      at = close + 1
    }
  }
  return elements
}

function closingQuote(literal: string, from: number): number {
  let close = literal.indexOf('"', from)
  while (isEscaped(literal, close, from)) close = literal.indexOf('"', close + 1)
  return close
}

/** A quote is escaped when an odd number of backslashes stands before it. */
function isEscaped(literal: string, at: number, from: number): boolean {
  let first = at
  while (first > from && literal[first - 1] === backslash) first--
  return (at - first) % 2 === 1
}

function unescaped(text: string): string {
  return text.includes(backslash) ? text.replace(/\\(.)/gs, '$1') : text
}
