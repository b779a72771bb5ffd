import { parser } from '@prometheus-io/lezer-promql'

/** What an expression of PromQL reads: metrics, and labels by name. Throws where it is none. */
export function namesIn(expression: string): { metrics: string[]; labels: string[] } {
  const text = withoutVariables(expression)
  const found: Record<string, string[]> = { Identifier: [], LabelName: [] }
  parser.parse(text).iterate({
    enter({ type, from, to }) {
      if (type.isError) throw new SyntaxError(`no PromQL at ${from}: ${expression}`)
      found[type.name]?.push(text.slice(from, to))
    },
  })
  return { metrics: found.Identifier ?? [], labels: found.LabelName ?? [] }
}

/** Grafana puts its own in before it asks. */
function withoutVariables(expression: string): string {
  return expression.replaceAll('$__rate_interval', '5m').replaceAll('$namespace', 'default')
}
