import { parser } from '@prometheus-io/lezer-promql'

/** The metrics that an expression of PromQL reads. Throws where it is none. */
export function metricsIn(expression: string): string[] {
  const text = withoutVariables(expression)
  const found: string[] = []
  parser.parse(text).iterate({
    enter({ type, from, to }) {
      if (type.isError) throw new SyntaxError(`no PromQL at ${from}: ${expression}`)
      if (type.name === 'Identifier') found.push(text.slice(from, to))
    },
  })
  return found
}

/** Grafana puts its own in before it asks. */
function withoutVariables(expression: string): string {
  return expression.replaceAll('$__rate_interval', '5m').replaceAll('$namespace', 'default')
}
