import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The bundle that stands for a program, where `make test` has made one (scripts/bundles); else the program itself. */
export function programOf(main: string): string {
  const folder = process.env.TEST_BUNDLES
  if (folder === undefined) return main
  const bundle = join(folder, relative(ROOT, main).replace(/\.ts$/, '.js'))
  return existsSync(bundle) ? bundle : main
}
