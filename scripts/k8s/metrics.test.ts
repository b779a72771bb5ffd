/** What alerts and dashboards ask Prometheus. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { namesIn } from './promql.ts'

const FOLDER = new URL('../../deploy/k8s/components/monitoring/', import.meta.url)

interface Alerts {
  spec: { groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[] }
}

interface Dashboard {
  panels: { title: string; targets: { expr: string }[] }[]
}

const alerts = (parse(read('alerts.yaml')) as Alerts).spec.groups.flatMap(({ rules }) => rules)
const { panels } = JSON.parse(read('dashboard.json')) as Dashboard
const expressions: [who: string, expression: string][] = [
  ...alerts.map(({ alert, expr }): [string, string] => [alert, expr]),
  ...panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }): [string, string] => [title, expr]),
  ),
]

test('alerts and panels are there, each under a name of its own', () => {
  const names = [...alerts.map(({ alert }) => alert), ...panels.map(({ title }) => title)]
  expect(names.length).toBeGreaterThan(20)
  expect(new Set(names).size).toBe(names.length)
})

/** Those of Prometheus and its operator: where something was scraped. */
const OF_TARGETS = ['namespace', 'pod', 'container', 'job', 'instance']
const documented = labelsByMetric(
  readFileSync(new URL('../../docs/telemetry.md', import.meta.url), 'utf8'),
)

test.each(expressions)('%s asks for metrics and labels that are documented', (_who, expression) => {
  const { metrics, labels } = namesIn(expression)
  expect(metrics).not.toEqual([])
  for (const metric of metrics) expect([...documented.keys()]).toContain(metric)
  const known = metrics.flatMap((metric) => documented.get(metric) ?? [])
  expect([...known, ...OF_TARGETS]).toEqual(expect.arrayContaining(labels))
})

test('alerts and panels say whose a label is, so that what all schedulers tell is not summed', () => {
  const shared = [...documented.keys()].filter((name) =>
    /^offstage_(jobs|queue|executors|slots|pool|method)/.test(name),
  )
  expect(shared).toContain('offstage_jobs')
  for (const [who, expression] of expressions) {
    const { metrics } = namesIn(expression)
    if (!metrics.some((metric) => shared.includes(metric))) continue
    expect(expression, who).toMatch(/(max|min)( by \([\w, ]+\))? ?\(offstage_/)
  }
})

test('what is no PromQL is told', () => {
  expect(() => namesIn('sum by (pod (offstage_ready)')).toThrow('no PromQL at')
})

/** The metrics of the tables, with the labels of each. */
function labelsByMetric(markdown: string): ReadonlyMap<string, string[]> {
  const rows = [...markdown.matchAll(/^\| `(offstage_\w+)` \| \w+ \|([^|]*)\|/gm)]
  const others = [...markdown.matchAll(/`((?:process|nodejs)_\w+)`/g)]
  return new Map([
    ...rows.map(([, name = '', cell = '']): [string, string[]] => [
      name,
      [...cell.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
    ]),
    ...others.map(([, name = '']): [string, string[]] => [name, []]),
  ])
}

function read(file: string): string {
  return readFileSync(new URL(file, FOLDER), 'utf8')
}
