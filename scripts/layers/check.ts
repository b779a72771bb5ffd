/**
 * Holds every import against the tables of ARCHITECTURE.md. Two things are asked of each: may the package, and may the
 * room in it. Code for tests may import what it likes, and nothing but tests may import it.
 */
import { type Import, importsBelow, targetOf } from './imports.ts'
import { layerOf, packageOf, wantedBy } from './layer.ts'
import type { Layers } from './table.ts'

const TEST_TOOLS = ['@offstage/testkit', 'vitest', 'fast-check']
/** What stands beside the packages, looks at them from outside and may use the test kit for it. */
const OUTSIDE = ['test', 'bench', 'scripts', 'testkit']

/** Each import that no row allows, as a line that says why. */
export function violationsBelow(root: string, layers: Layers): string[] {
  return importsBelow(root).flatMap((each) => {
    if (isForTests(each.file)) return []
    const fault = faultOfTestCode(each) ?? faultOfPackage(each, layers) ?? faultOfRoom(each, layers)
    return fault === undefined ? [] : [`${each.file}: '${each.specifier}': ${fault}`]
  })
}

/** Of a service, and neither the pure one nor its interfaces: what the row `*` allows is not for these. */
function isRoom(layer: string): boolean {
  return layer !== 'domain' && layer !== 'ports' && !layer.includes('/') && !layer.endsWith('.ts')
}

function isForTests(file: string): boolean {
  return file.endsWith('.test.ts') || file.includes('/testing/')
}

function faultOfTestCode(each: Import): string | undefined {
  const { file, specifier } = each
  if (OUTSIDE.includes(packageOf(file))) return undefined
  const ofOurs = specifier.startsWith('.')
    ? isForTests(targetOf(each))
    : /\/testing$/.test(specifier)
  if (ofOurs || TEST_TOOLS.includes(specifier)) return 'only tests may import what is for tests'
  return undefined
}

function faultOfPackage(each: Import, layers: Layers): string | undefined {
  const own = packageOf(each.file)
  if (each.specifier.startsWith('.')) {
    if (packageOf(targetOf(each)) === own) return undefined
    return 'a package is entered by its name, not by a path to its files'
  }
  const wanted = /^@offstage\/([^/]+)/.exec(each.specifier)?.[1]
  if (wanted === undefined || own.endsWith(wanted)) return undefined
  const room = `${own}/${/src\/([^/]+)\//.exec(each.file)?.[1]}`
  const allowed = layers.get(room) ?? layers.get(own)
  if (allowed === undefined) return `${own} has no row in ARCHITECTURE.md`
  return allowed.has(wanted) ? undefined : `${own} may not import ${wanted}`
}

function faultOfRoom(each: Import, layers: Layers): string | undefined {
  const own = layerOf(each.file)
  if (own === undefined) return undefined
  const allowed = layers.get(own)
  const everywhere = layers.get('*')
  // What stands beside the rooms puts them together, unless it has a row of its own.
  if (allowed === undefined && own.endsWith('.ts')) return undefined
  if (allowed === undefined) return `${own} has no row in ARCHITECTURE.md`
  const wanted = wantedBy(each)
  const allows = (name: string) => allowed.has(name) || (isRoom(own) && everywhere?.has(name))
  if (wanted[0] === own || wanted.some(allows)) return undefined
  return `${own} may not import ${wanted[0]}`
}
