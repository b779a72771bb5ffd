/**
 * Releases in two steps, so that people look at the first before the second:
 *
 *   node scripts/release/main.ts cut 0.2.0     writes version and changelog, to be committed and tagged v0.2.0
 *   node scripts/release/main.ts publish       builds the tarballs and publishes those that the registry has not yet
 *
 * `publish --dry-run` does all but the publishing. Provenance needs a CI that npm knows: without one, `--no-provenance`.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { pack } from '../pack/pack.ts'
import { cutRelease } from './cut.ts'
import { publish, refuseChanges } from './publish.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const { positionals, values } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    'dry-run': { type: 'boolean', default: false },
    provenance: { type: 'boolean', default: true },
  },
})
const [step, version = ''] = positionals

if (step === 'cut') await cutRelease(root, version, new Date().toISOString().slice(0, 10))
else if (step === 'publish') {
  const { 'dry-run': dryRun, provenance } = values
  if (!dryRun) refuseChanges(root)
  const tarballs = await pack(root, join(root, '.offstage/pack'), join(root, 'dist/packages'))
  publish(root, tarballs, { dryRun, provenance })
} else {
  console.error('usage: release cut <version> | publish [--dry-run] [--no-provenance]')
  process.exitCode = 64
}
