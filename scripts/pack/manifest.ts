import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compiled, exportedSources, exportsOf } from './exports.ts'
import type { PackPlan } from './packages.ts'

/** The fields of a package.json that are looked at; all others are taken along. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports?: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
  /** Of the whole, in the manifest of the root: npm compares it with the CI that signs. */
  readonly repository?: { readonly type: string; readonly url: string; readonly directory?: string }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

/** What belongs to development alone. */
const DEVELOPMENT = ['private', 'scripts', 'devDependencies']
/** What every package has beside its own files. */
export const NOTICES = ['LICENSE', 'README.md']
/** The first release of 22 that strips types without a flag: job modules of users may be `.ts` files. */
const NODE = '>=22.18'

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** The manifest to publish: compiled files in place of sources, each dependency in the version that was tested. */
export function publishedManifest(root: string, plan: PackPlan): Manifest {
  const folder = join(root, plan.folder)
  const manifest = readManifest(folder)
  const { repository } = readManifest(root)
  const own = Object.entries(manifest).filter(([field]) => !DEVELOPMENT.includes(field))
  const programs = Object.entries(plan.bin ?? {}).map(([name, source]) => [name, compiled(source)])
  const bin = { ...manifest.bin, ...Object.fromEntries(programs) }
  return {
    ...(Object.fromEntries(own) as Manifest),
    engines: { node: NODE },
    ...(repository && { repository: { ...repository, directory: plan.folder } }),
    sideEffects: plan.entries?.map((entry) => `./${compiled(entry)}`) ?? false,
    exports: exportsOf(exportedSources(folder, manifest.exports), manifest.exports),
    ...(Object.keys(bin).length > 0 && { bin }),
    files: filesOf(plan),
    dependencies: exactVersions(root, folder, manifest.dependencies),
  }
}

function filesOf({ assets = [], folder }: PackPlan): string[] {
  const along = assets.map(([from, to = from]) => to.replace(/\/.*/, ''))
  const generated = folder === 'proto' ? ['gen'] : []
  return [...new Set(['dist', ...generated, ...along, ...NOTICES])]
}

function exactVersions(root: string, folder: string, ranges: Manifest['dependencies'] = {}) {
  const versionOf = (name: string) => {
    const places = [folder, root].map((from) => join(from, 'node_modules', name))
    const found = places.find((place) => existsSync(place))
    if (found === undefined) throw new Error(`${name} is not installed: run make setup`)
    return readManifest(found).version
  }
  return Object.fromEntries(Object.keys(ranges).map((name) => [name, versionOf(name)]))
}
