/**
 * Compiles file by file, by TypeScript itself and for all packages at once: only what the entries lead to, so that tests
 * and what they share stay behind. What lay in `src` lies in `dist` and the rest where it was, so that paths relative to
 * a module hold. TypeScript rewrites `.ts` in imports; it leaves it in declarations and in `new URL('./thread.ts', …)`, which
 * is done here. Both endings are of one length: the maps hold.
 */
import { execFileSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'

export interface Compiled {
  /** From the root of the repository. */
  readonly entries: readonly string[]
  readonly folder: string
}

/** Writes the compiled form of `entries`, and of what they import, below `folder`: still where the sources are. */
export async function compile(root: string, { entries, folder }: Compiled): Promise<void> {
  await mkdir(folder, { recursive: true })
  const config = join(folder, 'tsconfig.json')
  const compilerOptions = {
    noEmit: false,
    rewriteRelativeImportExtensions: true,
    declaration: true,
    sourceMap: true,
    inlineSources: true,
    rootDir: root,
    typeRoots: [join(root, 'node_modules/@types')],
    outDir: folder,
  }
  const files = entries.map((entry) => join(root, entry))
  const settings = { extends: join(root, 'tsconfig.json'), compilerOptions, files, include: [] }
  await writeFile(config, JSON.stringify(settings))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '--project', config], { stdio: 'inherit' })
}

/** Takes what was compiled of the package in `from` to `to`, as it is to be published. */
export async function collectCompiled(from: string, to: string): Promise<void> {
  const files = globSync('**/*.{js,d.ts,js.map}', { cwd: from, exclude: ['**/node_modules'] })
  for (const file of files) {
    const path = join(to, published(file))
    const text = await readFile(join(from, file), 'utf8')
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, file.endsWith('.map') ? mapFrom(text, file) : withCompiledPaths(text))
  }
}

function published(file: string): string {
  return file.replace(/^src\//, 'dist/')
}

/** Relative paths of sources, in code and in declarations alike. */
export function withCompiledPaths(text: string): string {
  return text.replaceAll(/(['"])(\.\.?\/[^'"\n]+)\.ts\1/g, (whole, quote, path: string) =>
    path.endsWith('.d') ? whole : `${quote}${path.replace('../src/', '../dist/')}.js${quote}`,
  )
}

/** The map holds its source; it is named as it lies in the repository's package. */
function mapFrom(text: string, file: string): string {
  const source = basename(file).replace(/\.js\.map$/, '.ts')
  const here = dirname(published(file))
  const sources = [relative(here, join(dirname(file), source))]
  return JSON.stringify({ ...JSON.parse(text), sourceRoot: undefined, sources })
}
