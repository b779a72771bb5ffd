import { globSync } from 'node:fs'

type Exports = Readonly<Record<string, string>> | undefined

/** What can be imported, by the name it is imported by: `exports` with its patterns written out. */
export function exportedSources(folder: string, exports: Exports): Map<string, string> {
  const sources = Object.entries(exports ?? {}).flatMap(([name, target]) => {
    if (!isSource(target)) return []
    const source = target.replace('./', '')
    if (!source.includes('*')) return [[name, source] as const]
    const [before = '', after = ''] = source.split('*')
    return globSync(source.replace('*/', '**/'), { cwd: folder })
      .filter((file) => !isForTests(file))
      .map((file) => [name.replace('*', file.slice(before.length, -after.length)), file] as const)
  })
  return new Map(sources.sort(([one], [other]) => (one < other ? -1 : 1)))
}

/** The `exports` to publish: each entry by itself, its types first. */
export function exportsOf(sources: ReadonlyMap<string, string>, exports: Exports) {
  const modules = [...sources].map(([name, source]) => {
    const file = `./${compiled(source)}`
    return [name, { types: file.replace(/\.js$/, '.d.ts'), default: file }]
  })
  const others = Object.entries(exports ?? {}).filter(([, target]) => !isSource(target))
  return {
    ...Object.fromEntries([...modules, ...others]),
    './package.json': './package.json',
  }
}

/** Where the compiled form of a source lies in the package. */
export function compiled(source: string): string {
  return source.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js')
}

function isSource(target: string): boolean {
  return target.endsWith('.ts')
}

function isForTests(file: string): boolean {
  return file.endsWith('.test.ts') || file.split('/').includes('testing')
}
