import { createHash } from 'node:crypto'
import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { ROOT } from './playground.ts'

/**
 * Lines of a shell that fetch and generate, as lines that do so the first time in their folder, and again where they or the
 * protos have changed.
 */
export async function madeOnce(lines: string): Promise<string> {
  const hash = createHash('sha256').update(lines)
  for (const file of globSync('proto/offstage/**/*.proto', { cwd: ROOT }).toSorted()) {
    hash.update(file).update(await readFile(`${ROOT}${file}`))
  }
  const mark = `made-${hash.digest('hex')}`
  return `if ! [ -f ${mark} ]; then\n${lines}\ntouch ${mark}\nfi\n`
}
