/** What alerts and dashboards ask Prometheus. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { metricsIn } from './promql.ts'

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

test.each(expressions)('%s asks in PromQL for something', (_who, expression) => {
  expect(metricsIn(expression)).not.toEqual([])
})

test('what is no PromQL is told', () => {
  expect(() => metricsIn('sum by (pod (offstage_ready)')).toThrow('no PromQL at')
})

function read(file: string): string {
  return readFileSync(new URL(file, FOLDER), 'utf8')
}
