import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
const files = [...readdirSync(root), ...docs.map((path) => join('docs', path))].filter((path) =>
  path.endsWith('.md'),
)

/** The anchors GitHub gives the headings of a document. */
function anchorsOf(path: string): string[] {
  const headings = withoutCode(readFileSync(path, 'utf8')).matchAll(/^#+ (.+)$/gm)
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  )
}

function withoutCode(text: string): string {
  return text.replaceAll(/^ *```.*?^ *```/gms, '')
}

test.each(files)('every link of %s leads somewhere', (file) => {
  const text = withoutCode(readFileSync(join(root, file), 'utf8'))
  const broken: string[] = []
  for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https?:/.test(link)) continue
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? join(root, file) : resolve(root, dirname(file), path)
    const found = existsSync(target) && (anchor === undefined || anchorsOf(target).includes(anchor))
    if (!found) broken.push(link)
  }
  expect(broken).toEqual([])
})
