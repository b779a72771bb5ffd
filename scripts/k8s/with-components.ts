import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { folderOf, renderText } from './render.ts'

/** Production with these components, as a kustomization elsewhere would have them. */
export async function productionWith(...components: string[]): Promise<string> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'offstage-components-')))
  const from = (path: string) => relative(folder, realpathSync(folderOf(path)))
  const kustomization = {
    namespace: 'offstage',
    resources: [from('production')],
    components: components.map((name) => from(`../components/${name}`)),
  }
  try {
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization))
    return await renderText(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
