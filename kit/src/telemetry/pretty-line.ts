/** Turns one JSON log line into one for a person: `12:30:01.250 WARN  scheduler: text  key=value`. */
export function prettyLine(line: string): string {
  const { time, level, name, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>
  const clock = String(time).slice(11, 23)
  const pairs = Object.entries(rest).map(([key, value]) => `  ${key}=${textOf(value)}`)
  const head = `${clock} ${String(level).toUpperCase().padEnd(5)} ${name}: ${msg ?? ''}`
  return `${head}${pairs.join('')}\n${stackOf(err)}`
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function stackOf(fault: unknown): string {
  if (typeof fault !== 'object' || fault === null) return ''
  const { stack, message } = fault as { stack?: string; message?: string }
  return `${(stack ?? message ?? JSON.stringify(fault)).replace(/^/gm, '    ')}\n`
}
