import { readFileSync } from 'node:fs'
import { type Manifest, nameOf, podOf, serviceOf, workloadsOf } from '../manifests.ts'

const DOCUMENT = new URL('../../../docs/configuration.md', import.meta.url)

/** Every variable is one that docs/configuration.md has for that service; a test holds that in line with what services read. */
export function variableFaults(manifests: readonly Manifest[]): string[] {
  const document = readFileSync(DOCUMENT, 'utf8')
  return workloadsOf(manifests).flatMap((workload) => {
    const service = serviceOf(workload)
    if (service === undefined) return []
    const known = variablesOf(document, service)
    const names = podOf(workload).containers.flatMap(({ env = [] }) => env.map(({ name }) => name))
    const unknown = names.filter((name) => !known.has(name))
    const twice = names.filter((name, index) => names.indexOf(name) !== index)
    return [
      ...unknown.map((name) => `${nameOf(workload)}: docs/configuration.md has no ${name} for it`),
      ...twice.map((name) => `${nameOf(workload)}: ${name} is there twice`),
    ]
  })
}

function variablesOf(document: string, service: string): ReadonlySet<string> {
  const heading = `## ${service.charAt(0).toUpperCase()}${service.slice(1)}\n`
  const [, after = ''] = document.split(heading)
  const [section = ''] = after.split('\n## ')
  return new Set([...section.matchAll(/^\| `(\w+)`/gm)].map(([, name = '']) => name))
}
