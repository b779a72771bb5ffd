import { globSync, readFileSync } from 'node:fs'
import {
  DEADLINE_REASONS,
  DOCS_URL,
  helpUrlOf,
  REASONS,
  type Reason,
} from '@offstage/proto/reasons'
import { expect, test } from 'vitest'

const text = readFileSync(new URL('errors.md', import.meta.url), 'utf8')

/** Heading, status line and body of each section of the third level. */
const sections = [...text.matchAll(/^### (\S+)\n\n`(\w+)`, retry: (yes|no).*\n\n([^#]+)/gm)].map(
  ([, reason, code, retry, body]) => ({ reason, code, retry, body }),
)

test('every reason has its section, in the order of the list, and every section its reason', () => {
  const headings = [...text.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading)
  expect(headings).toEqual(Object.keys(REASONS))
  expect(sections.map(({ reason }) => reason)).toEqual(headings)
})

test('the link that errors carry is a full one, to the section of the reason', () => {
  for (const reason of Object.keys(REASONS) as Reason[]) {
    const { protocol, href, hash } = new URL(helpUrlOf(reason))
    expect(protocol).toBe('https:')
    expect(href.startsWith(`${DOCS_URL}errors.md#`)).toBe(true)
    expect(sections.map((each) => `#${each.reason?.toLowerCase()}`)).toContain(hash)
  }
})

test.each(Object.entries(REASONS))(
  '%s is told with the code and the advice of the list',
  (reason, spec) => {
    const section = sections.find((each) => each.reason === reason)
    expect(section).toMatchObject({ code: spec.code, retry: spec.retry ? 'yes' : 'no' })
    expect(section?.body?.trim().length).toBeGreaterThan(40)
  },
)

test('each deadline is told of by the reason it ends a job with', () => {
  for (const reason of Object.values(DEADLINE_REASONS)) expect(text).toContain(`| \`${reason}\` |`)
})

test('a reason that is said not to be raised yet is raised by no service', () => {
  const root = new URL('..', import.meta.url)
  const sources = globSync('{kit,services/*}/src/**/!(*.test).ts', {
    cwd: root,
    exclude: ['**/testing/**'],
  })
  const raised = sources.flatMap((path) =>
    [...readFileSync(new URL(path, root), 'utf8').matchAll(/reason: '(\w+)'/g)].map(
      ([, reason]) => reason,
    ),
  )
  const later = [...text.matchAll(/^### (\S+)\n\n.*_\(not raised yet\)_$/gm)].map(
    ([, reason]) => reason,
  )
  expect(raised).toContain('JOB_KEY_TAKEN')
  expect(later).toContain('SESSION_FENCED')
  expect(later.filter((reason) => raised.includes(reason))).toEqual([])
})
