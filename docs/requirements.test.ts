import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')

test('every row that code or documents cite is a requirement', () => {
  const ids = new Set([...read('docs/requirements.md').matchAll(/^\| ([A-Z]\d+) \|/gm)].map(idOf))
  expect(ids).toContain('J4')
  const files = execFileSync('git', ['ls-files', '*.ts', '*.proto', '*.sql', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  })
  const unknown = files
    .split('\n')
    .filter((path) => path !== '' && !path.startsWith('proto/gen/'))
    .flatMap((path) => [...citationsIn(read(path))].map((id) => ({ path, id })))
    .filter(({ id }) => !ids.has(id))
  expect(unknown).toEqual([])
})

/** "row J4", "rows C1 to C7", "rows S1, S3 and L4": the ids of each, ends of ranges only. */
function* citationsIn(text: string): Generator<string> {
  for (const [citation] of text.matchAll(/\b[Rr]ows? (?:[A-Z]\d+(?:, | to | and |–)?)+/g)) {
    for (const [id] of citation.matchAll(/[A-Z]\d+/g)) yield id
  }
}

function idOf([, id = '']: RegExpMatchArray): string {
  return id
}
