/** Holds rendered manifests against the schemas and against our own rules. */
import { readFileSync } from 'node:fs'
import type { Manifest } from './manifests.ts'
import { arrowFaults } from './rules/arrows.ts'
import { availabilityFaults } from './rules/availability.ts'
import { graceFaults } from './rules/grace.ts'
import { podFaults } from './rules/pods.ts'
import { probeFaults } from './rules/probes.ts'
import { readArrows } from './rules/read-arrows.ts'
import { referenceFaults } from './rules/references.ts'
import { variableFaults } from './rules/variables.ts'
import { schemaFaults } from './schemas.ts'

const ROOT = new URL('../../', import.meta.url)

/** Everything that is wrong, a line each. */
export function faultsIn(manifests: readonly Manifest[]): string[] {
  return [
    ...manifests.flatMap(schemaFaults),
    ...arrowFaults(manifests, arrows()),
    ...[
      availabilityFaults,
      graceFaults,
      podFaults,
      probeFaults,
      referenceFaults,
      variableFaults,
    ].flatMap((rule) => rule(manifests)),
  ]
}

function arrows() {
  return readArrows(read('ARCHITECTURE.md'), read('docs/guides/deploy-kubernetes.md'))
}

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}
