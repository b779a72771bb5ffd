import { expect, test } from 'vitest'
import type { RefreshScope } from '../domain/refresh-scope.ts'
import { RefreshLine } from './refresh-line.ts'

function setup() {
  const sent: (readonly RefreshScope[])[] = []
  return { sent, line: new RefreshLine((scopes) => sent.push(scopes)) }
}

const ALL: RefreshScope = { kind: 'all' }
const tag = (name: string): RefreshScope => ({ kind: 'tag', tag: name })

test('one message is under way at a time; what comes meanwhile goes with the next, each scope once', () => {
  const { line, sent } = setup()
  for (const name of ['a', 'b', 'c', 'b']) line.tell(tag(name))
  expect(sent).toEqual([[tag('a')]])
  line.taken()
  expect(sent).toEqual([[tag('a')], [tag('b'), tag('c')]])
  line.taken()
  expect(sent).toHaveLength(2)
})

test('beside a refresh of everything nothing else waits', () => {
  const { line, sent } = setup()
  for (const scope of [tag('a'), tag('b'), ALL, tag('c')]) line.tell(scope)
  line.taken()
  expect(sent).toEqual([[tag('a')], [ALL]])
})

test('a thread that takes nothing costs no more than a thousand scopes', () => {
  const { line, sent } = setup()
  for (let n = 0; n <= 1_001; n += 1) line.tell(tag(String(n)))
  line.taken()
  expect(sent).toEqual([[tag('0')], [ALL]])
})

test('what waits can go with something else, and is waited for like a message of its own', () => {
  const { line, sent } = setup()
  for (const name of ['a', 'b']) line.tell(tag(name))
  expect(line.take()).toEqual([tag('b')])
  line.tell(tag('c'))
  line.taken()
  expect(sent).toHaveLength(1)
  line.taken()
  expect(sent).toEqual([[tag('a')], [tag('c')]])
})
