/** Finds the module files that job paths name. */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

const MODULE = /\.[cm]?[jt]s$/
const NOT_A_MODULE = /\.d\.[cm]?ts$|\.(test|spec)\.[cm]?[jt]s$/
const FILES_MAX = 10_000

/**
 * The file itself, or the modules in a folder and its subfolders, in order, but for hidden ones, node_modules, tests
 * and type declarations.
 *
 * @throws Error naming a path that does not exist
 */
export async function modulesIn(path: string): Promise<string[]> {
  const entry = await stat(path).catch((cause: unknown) => {
    throw new Error(`cannot find the job modules at ${path}`, { cause })
  })
  if (!entry.isDirectory()) return [path]
  const files = (await filesIn(path)).sort()
  if (files.length > FILES_MAX) throw new Error(`over ${FILES_MAX} modules in ${path}`)
  return files
}

async function filesIn(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      const hidden = entry.name.startsWith('.') || entry.name === 'node_modules'
      if (!hidden) found.push(...(await filesIn(path)))
    } else if (MODULE.test(entry.name) && !NOT_A_MODULE.test(entry.name)) {
      found.push(path)
    }
  }
  return found
}
