import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = dirname(fileURLToPath(import.meta.url))

/** What each module of the SDK imports from others of it when it runs; types are gone by then. */
function importsAtRunTime(): Map<string, string[]> {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
  const modules = paths.filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  return new Map(
    modules.map((path) => {
      const source = readFileSync(join(root, path), 'utf8')
      const found = source.matchAll(/^(?:import|export) (?!type )([^'"]*?)from '(\.[^']+)'/gms)
      const imported = [...found]
        .filter(([, names = '']) => !isOfTypesOnly(names))
        .map(([, , from = '']) => join(dirname(path), from))
      return [path, imported]
    }),
  )
}

function isOfTypesOnly(names: string): boolean {
  const listed = /^\{(.*)\}\s*$/s.exec(names)?.[1]?.split(',')
  const given = listed?.map((name) => name.trim()).filter((name) => name !== '')
  return given?.every((name) => name.startsWith('type ')) ?? false
}

/** The first circle found, its modules in order. */
function findCircle(imports: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path]
    if (done.has(path)) return undefined
    for (const next of imports.get(path) ?? []) {
      const circle = visit(next, [...way, path])
      if (circle !== undefined) return circle
    }
    done.add(path)
    return undefined
  }
  for (const path of imports.keys()) {
    const circle = visit(path, [])
    if (circle !== undefined) return circle
  }
  return undefined
}

test('no module of the SDK needs itself to run, through whatever others', () => {
  const imports = importsAtRunTime()
  expect(imports.get('client/session.ts')).toContain('client/temp-storage.ts')
  expect(imports.get('values/reusable.ts')).toContain('values/function-cache.ts')
  expect(findCircle(imports)).toBe(undefined)
})
