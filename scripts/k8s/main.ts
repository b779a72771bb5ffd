/** Renders every overlay of deploy/k8s, or the folders named, and checks them. Fails with what is wrong. */
import { basename, resolve } from 'node:path'
import { faultsIn } from './check.ts'
import { folderOf, overlays, render } from './render.ts'

const named = process.argv.slice(2).map((folder) => resolve(folder))
const folders = named.length > 0 ? named : overlays().map(folderOf)

for (const folder of folders) {
  const manifests = await render(folder)
  const faults = faultsIn(manifests)
  console.log(
    `${basename(folder)}: ${manifests.length} objects, ${faults.length || 'nothing'} wrong`,
  )
  for (const fault of faults) console.error(`  ${fault}`)
  if (faults.length > 0) process.exitCode = 1
}
