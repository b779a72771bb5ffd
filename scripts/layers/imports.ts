import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** One import as written, types included: who knows another's types leans on it as well. */
export interface Import {
  readonly file: string
  readonly specifier: string
}

export function importsBelow(root: string): Import[] {
  const files = globSync('*/**/*.ts', { cwd: root, exclude: isForeign })
  return files.sort().flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    return specifiersIn(text).map((specifier) => ({ file, specifier }))
  })
}

function isForeign(path: string): boolean {
  return /(^|\/)(node_modules|dist|\.[^/]+)$|^proto\/gen$/.test(path)
}

/** As Biome formats them: each at the begin of a line, in single quotes. */
const STATEMENT =
  /^(?:import|export)\s+(?:type\s+)?(?:\w+,?\s*)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})?\s*from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm

function specifiersIn(text: string): string[] {
  return [...text.matchAll(STATEMENT)].flatMap((match) => match.slice(1).filter(Boolean))
}

/** The file that a relative import names, from the root. */
export function targetOf({ file, specifier }: Import): string {
  return join(dirname(file), specifier)
}
