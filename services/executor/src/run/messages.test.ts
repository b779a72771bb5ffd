import { expect, test } from 'vitest'
import type { MessageNote } from '../domain/attempt.ts'
import { Messages } from './messages.ts'
import { WrappedReports } from './wrapped-reports.ts'

function setup() {
  const notes: MessageNote[] = []
  const reporter = { message: (_key: string, note: MessageNote) => void notes.push(note) }
  return { notes, messages: new Messages('a/1', reporter, new WrappedReports(undefined)) }
}

test('of a handler that says more than its executor can pass on the rest is left out, and counted', () => {
  const { notes, messages } = setup()
  const many = 50_000
  for (let n = 0; n < many; n += 1) messages.say(`${n}`)
  messages.flush()
  expect(notes.slice(0, 9_000).map(({ text }) => text)).toEqual(
    Array.from({ length: 9_000 }, (_, n) => `${n}`),
  )
  const said = notes.filter(({ severity }) => severity === 'info')
  const leftOut = notes.flatMap(
    ({ text }) => /^(\d+) messages were left out here/.exec(text)?.[1] ?? [],
  )
  expect(leftOut).not.toEqual([])
  expect(leftOut.reduce((sum, count) => sum + Number(count), said.length)).toBe(many)
  expect(notes.map(({ number }) => number)).toEqual(notes.map((_, at) => at + 1))
})

test('of long ones there is room for fewer', () => {
  const { notes, messages } = setup()
  for (let n = 0; n < 5_000; n += 1)
    messages.say('x'.repeat(n % 2 ? 4_000 : 1), n % 2 ? {} : { extra: { x: 'x'.repeat(4_000) } })
  messages.flush()
  expect(notes.some(({ text }) => / messages were left out here/.test(text))).toBe(true)
})

test('what was left out is told before what comes after it', () => {
  const { notes, messages } = setup()
  for (let n = 0; n < 20_000; n += 1) messages.say('before')
  messages.flush()
  const at = notes.length
  messages.flush()
  expect(notes).toHaveLength(at)
  expect(notes[at - 1]).toMatchObject({
    severity: 'warning',
    text: expect.stringMatching(/left out here/),
  })
})
