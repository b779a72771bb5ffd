/** Fails when an import is not allowed by the tables of ARCHITECTURE.md. */
import { readFileSync } from 'node:fs'
import { violationsBelow } from './check.ts'
import { layersIn } from './table.ts'

const violations = violationsBelow('.', layersIn(readFileSync('ARCHITECTURE.md', 'utf8')))
for (const violation of violations) console.error(violation)
if (violations.length > 0) {
  console.error('ARCHITECTURE.md says what each folder may import')
  process.exitCode = 1
}
