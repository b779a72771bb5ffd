/**
 * Plain text of Prometheus as OpenMetrics has it: counters are described without the `_total` of their samples, there are no
 * empty lines, and the end is said. prom-client's own rendering of it renames counters for good, in plain text too.
 */
export function openMetricsFrom(text: string): string {
  const counters = new Set(
    [...text.matchAll(/^# TYPE (\S+)_total counter$/gm)].map(([, name]) => name),
  )
  const lines = text.split('\n').filter((line) => line !== '')
  const described = lines.map((line) =>
    line.replace(/^(# (?:HELP|TYPE)) (\S+)_total /, (whole, what, name) =>
      counters.has(name) ? `${what} ${name} ` : whole,
    ),
  )
  return `${described.join('\n')}\n# EOF\n`
}
