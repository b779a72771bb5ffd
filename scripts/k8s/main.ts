/** Renders every overlay of deploy/k8s and checks it. Fails with what is wrong. */
import { faultsIn } from './check.ts'
import { folderOf, overlays, render } from './render.ts'

for (const overlay of overlays()) {
  const manifests = await render(folderOf(overlay))
  const faults = faultsIn(manifests)
  console.log(`${overlay}: ${manifests.length} objects, ${faults.length || 'nothing'} wrong`)
  for (const fault of faults) console.error(`  ${fault}`)
  if (faults.length > 0) process.exitCode = 1
}
