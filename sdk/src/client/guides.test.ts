/** Compiles every TypeScript snippet of the guides about jobs, each as a module of its own. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const GUIDES = ['writing-jobs.md', 'starting-jobs.md']
const ROOT = new URL('../../../', import.meta.url)
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = fileURLToPath(new URL('../../.offstage/', import.meta.url))

/** Compiles modules by name; resolves to what the compiler says, empty where all is well. */
async function compile(modules: ReadonlyMap<string, string>): Promise<string> {
  await mkdir(SCRATCH, { recursive: true })
  const folder = await mkdtemp(`${SCRATCH}compile-`)
  try {
    for (const [name, code] of modules) await writeFile(`${folder}/${name}`, code)
    const config = { extends: fileURLToPath(new URL('tsconfig.json', ROOT)), include: ['*.ts'] }
    await writeFile(`${folder}/tsconfig.json`, JSON.stringify(config))
    const tsc = fileURLToPath(new URL('node_modules/typescript/bin/tsc', ROOT))
    await promisify(execFile)(process.execPath, [tsc, '-p', folder], { timeout: 60_000 })
    return ''
  } catch (error) {
    if (!(error instanceof Error && 'stdout' in error)) throw error
    // What is wrong in the modules they import is told by the type check of the whole.
    const lines = String(error.stdout).split('\n')
    return lines.filter((line) => line.includes(basename(folder))).join('\n')
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function snippets(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const guide of GUIDES) {
    const page = await readFile(new URL(`docs/guides/${guide}`, ROOT), 'utf8')
    for (const match of page.matchAll(/^```ts\n(.*?)^```$/gms)) {
      const line = page.slice(0, match.index).split('\n').length + 1
      found.set(`${guide}-line-${line}.ts`, match[1] ?? '')
    }
  }
  return found
}

test('every snippet of the guides compiles', { timeout: 90_000 }, async () => {
  const modules = await snippets()
  expect(modules.size).toBeGreaterThanOrEqual(12)
  expect(await compile(modules)).toBe('')
})

test('a snippet that does not compile is told', { timeout: 90_000 }, async () => {
  const wrong =
    "import { Offstage } from '@offstage/sdk'\nawait Offstage.connect({ schedular: '' })\n"
  expect(await compile(new Map([['wrong.ts', wrong]]))).toContain('schedular')
})
