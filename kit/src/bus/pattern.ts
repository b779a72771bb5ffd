/** Tells whether a subject fits; made once for each subscription. */
export type Matcher = (subject: string) => boolean

/** Whether a pattern stands for more than the subject it spells. */
export function hasWildcards(pattern: string): boolean {
  return /(^|\.)[*>](\.|$)/.test(pattern)
}

/** Throws a TypeError for what NATS would not take as the subject of a subscription. */
export function checkPattern(pattern: string): void {
  const tokens = pattern.split('.')
  const good = tokens.every(
    (token, index) =>
      token === '*' || (token === '>' && index === tokens.length - 1) || /^[^\s*>]+$/.test(token),
  )
  if (!good) throw new TypeError(`bad subject ${JSON.stringify(pattern)}`)
}

/** Makes the matcher of a checked pattern: `*` is one token, a last `>` one or more. */
export function createMatcher(pattern: string): Matcher {
  if (!hasWildcards(pattern)) return (subject) => subject === pattern
  const tokens = pattern.split('.')
  const open = tokens.at(-1) === '>'
  const fixed = open ? tokens.slice(0, -1) : tokens
  return (subject) => {
    const parts = subject.split('.')
    const fits = open ? parts.length > fixed.length : parts.length === fixed.length
    return fits && fixed.every((token, index) => token === '*' || token === parts[index])
  }
}
