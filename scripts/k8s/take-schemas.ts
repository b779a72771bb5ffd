/**
 * Takes anew the schemas that manifests are checked against, without their descriptions:
 *
 *   kubectl get --raw /openapi/v2 >openapi.json
 *   node scripts/k8s/take-schemas.ts openapi.json <file of a CustomResourceDefinition>…
 *
 * Those of Kubernetes are of its version 1.36, those of others of KEDA 2.21, CloudNativePG 1.30, the Prometheus operator 0.85
 * and cert-manager 1.21.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'

/** What the manifests are made of. */
const KINDS = [
  'io.k8s.api.apps.v1.Deployment',
  'io.k8s.api.apps.v1.StatefulSet',
  'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  'io.k8s.api.batch.v1.Job',
  'io.k8s.api.core.v1.ConfigMap',
  'io.k8s.api.core.v1.Namespace',
  'io.k8s.api.core.v1.PersistentVolumeClaim',
  'io.k8s.api.core.v1.Pod',
  'io.k8s.api.core.v1.Secret',
  'io.k8s.api.core.v1.Service',
  'io.k8s.api.core.v1.ServiceAccount',
  'io.k8s.api.networking.v1.NetworkPolicy',
  'io.k8s.api.policy.v1.PodDisruptionBudget',
]

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type Definitions = Record<string, Json>

const [openapi = '', ...crds] = process.argv.slice(2)
const folder = new URL('schemas/', import.meta.url)

const { definitions } = JSON.parse(readFileSync(openapi, 'utf8')) as { definitions: Definitions }
write('kubernetes.json', { definitions: reachable(definitions, KINDS) })
for (const file of crds) {
  const crd = parse(readFileSync(file, 'utf8'))
  write(`${crd.metadata.name}.json`, {
    apiVersion: crd.apiVersion,
    kind: crd.kind,
    metadata: { name: crd.metadata.name },
    spec: withoutDescriptions(crd.spec),
  })
}

function write(name: string, value: Json): void {
  writeFileSync(new URL(name, folder), `${JSON.stringify(value)}\n`)
}

function reachable(all: Definitions, kinds: readonly string[]): Definitions {
  const found: Definitions = {}
  const queue = [...kinds]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (name in found) continue
    const definition = withoutDescriptions(all[name] ?? {})
    found[name] = definition
    for (const [, next = ''] of JSON.stringify(definition).matchAll(/#\/definitions\/([^"]+)"/g)) {
      queue.push(next)
    }
  }
  return found
}

/** A property may be named `description`: only those beside others that describe are left out. What may be a number is told as a text. */
function withoutDescriptions(value: Json, areNames = false): Json {
  if (Array.isArray(value)) return value.map((each) => withoutDescriptions(each))
  if (value === null || typeof value !== 'object') return value
  if (value.format === 'int-or-string') return { type: ['integer', 'string'] }
  const kept = Object.entries(value).filter(([key]) => areNames || key !== 'description')
  return Object.fromEntries(
    kept.map(([key, each]) => [key, withoutDescriptions(each, key === 'properties' && !areNames)]),
  )
}
