/** Which tests of the scheduler run a second time, over a database that fails now and then. */
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LEFT_OUT_FILES } from './left-out.ts'

export const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url))

const SOURCES = 'services/scheduler/src/'

/** Those that `make test` runs so too, chosen by what they go through and the time they take. */
const ALWAYS = ['request-ids', 'children', 'retry-job']

/** Paths from the root, as a configuration of Vitest has them. */
export function faultyFiles({ all }: { readonly all: boolean }): string[] {
  if (!all) return ALWAYS.map((name) => `${SOURCES}${name}.test.ts`)
  const begins = settingUp(['setup', 'on-postgres'])
  return globSync(`${SOURCES}**/*.test.ts`, { cwd: ROOT })
    .filter((file) => !isLeftOut(file))
    .filter((file) => begins.test(readFileSync(`${ROOT}${file}`, 'utf8')))
    .toSorted()
}

/**
 * What imports one of these, or of what is built upon them, is over a whole scheduler: what is said of a statement alone does not
 * hold where it fails.
 */
function settingUp(names: readonly string[]): RegExp {
  const pattern = new RegExp(
    String.raw`^(?:import|\}) (?!type ).*/(?:${names.join('|')})\.ts'`,
    'm',
  )
  const more = globSync(`${SOURCES}testing/*.ts`, { cwd: ROOT })
    .filter((file) => pattern.test(readFileSync(`${ROOT}${file}`, 'utf8')))
    .map((file) => basename(file, '.ts'))
    .filter((name) => !names.includes(name))
  return more.length === 0 ? pattern : settingUp([...names, ...more])
}

function isLeftOut(file: string): boolean {
  return file.slice(SOURCES.length, -'.test.ts'.length) in LEFT_OUT_FILES
}
