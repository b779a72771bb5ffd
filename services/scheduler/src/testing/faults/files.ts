/** Which tests of the scheduler run a second time, over a database that fails now and then. */
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { LEFT_OUT_FILES } from './left-out.ts'

export const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url))

const SOURCES = 'services/scheduler/src/'

/** Those over a whole scheduler: what is said of a statement alone does not hold where it fails. */
const WHOLE = /testing\/(?:setup|on-postgres)\.ts'/

/** Those that `make test` runs so too, chosen by what they go through and the time they take. */
const ALWAYS = ['request-ids', 'children', 'retry-job']

/** Paths from the root, as a configuration of Vitest has them. */
export function faultyFiles({ all }: { readonly all: boolean }): string[] {
  if (!all) return ALWAYS.map((name) => `${SOURCES}${name}.test.ts`)
  return globSync(`${SOURCES}**/*.test.ts`, { cwd: ROOT })
    .filter((file) => !isLeftOut(file))
    .filter((file) => WHOLE.test(readFileSync(`${ROOT}${file}`, 'utf8')))
    .toSorted()
}

function isLeftOut(file: string): boolean {
  return file.slice(SOURCES.length, -'.test.ts'.length) in LEFT_OUT_FILES
}
