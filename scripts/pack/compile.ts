/**
 * Compiles file by file, by TypeScript itself and for all packages at once: only what the entries lead to, so that tests
 * and what they share stay behind. What lay in `src` lies in `dist` and the rest where it was, so that paths relative to
 * a module hold. TypeScript rewrites `.ts` in imports; it leaves it in declarations and in `new URL('./thread.ts', …)`, which
 * is done here. Both endings are of one length: the maps hold.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
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
  const tell = (files: readonly string[]) => writeFile(config, settingsOf(root, files, folder))
  await tell(entries.map((entry) => join(root, entry)))
  const files = sourcesOf(root, config)
  await tell(files)
  tsc(root, ['--project', config])
  const missing = files
    .map((file) => relative(root, file).replace(/\.ts$/, '.js'))
    .filter((file) => !existsSync(join(folder, file)))
  if (missing.length > 0) throw new Error(`TypeScript has not compiled ${missing.join(', ')}`)
}

/**
 * All that the entries lead to, by name. What is only led to is left out by TypeScript 7 at times: a module that is reached by the link
 * in node_modules before it is reached by its path counts as somebody else's, and which comes first is up to its threads.
 */
function sourcesOf(root: string, config: string): string[] {
  return tsc(root, ['--project', config, '--listFilesOnly'])
    .split('\n')
    .filter((file) => /\.ts$/.test(file) && !/\.d\.ts$|\/node_modules\//.test(file))
}

function settingsOf(root: string, files: readonly string[], folder: string): string {
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
  const base = join(root, 'tsconfig.json')
  return JSON.stringify({ extends: base, compilerOptions, files, include: [] })
}

function tsc(root: string, arguments_: readonly string[]): string {
  const program = join(root, 'node_modules/typescript/bin/tsc')
  try {
    return execFileSync(process.execPath, [program, ...arguments_], { encoding: 'utf8' })
  } catch (error) {
    // What is wrong with the sources is told there.
    process.stderr.write((error as { stdout?: string }).stdout ?? '')
    throw error
  }
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
