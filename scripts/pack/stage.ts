import { chmod, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { collectCompiled, compile, withCompiledPaths } from './compile.ts'
import { exportedSources } from './exports.ts'
import { NOTICES, publishedManifest, readManifest } from './manifest.ts'
import { PACKAGES, type PackPlan } from './packages.ts'

/** Builds every package below `staging` as npm is to take it, and answers their folders in order. */
export async function stage(root: string, staging: string): Promise<string[]> {
  await rm(staging, { recursive: true, force: true })
  const output = join(staging, 'compiled')
  await compile(root, {
    entries: PACKAGES.flatMap((plan) => entriesOf(root, plan)),
    folder: output,
  })
  const folders: string[] = []
  for (const plan of PACKAGES) {
    const folder = join(staging, plan.folder)
    await collectCompiled(join(output, plan.folder), folder)
    for (const [from, to = from] of plan.assets ?? []) {
      await copyAsset(join(root, plan.folder, from), join(folder, to))
    }
    const manifest = publishedManifest(root, plan)
    await rewritePrograms(folder, Object.values(manifest.bin ?? {}))
    await writeNotices(root, plan, folder)
    await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    folders.push(folder)
  }
  return folders
}

function entriesOf(root: string, { folder, entries = [] }: PackPlan): string[] {
  const { exports } = readManifest(join(root, folder))
  const exported = exportedSources(join(root, folder), exports).values()
  return [...exported, ...entries].map((source) => join(folder, source))
}

async function copyAsset(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await cp(from, to, { recursive: true })
}

/** Those that are plain JavaScript in development too, and only start what is compiled. */
async function rewritePrograms(folder: string, programs: readonly string[]): Promise<void> {
  for (const program of programs) {
    const path = join(folder, program)
    await writeFile(path, withCompiledPaths(await readFile(path, 'utf8')))
    await chmod(path, 0o755)
  }
}

async function writeNotices(root: string, plan: PackPlan, folder: string): Promise<void> {
  for (const name of NOTICES) {
    const own = join(root, plan.folder, name)
    await cp(own, join(folder, name)).catch(() => cp(join(root, name), join(folder, name)))
  }
}
