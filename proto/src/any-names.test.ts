/** Names within maps are anybody's: none is left out, and none reaches beyond its map. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ErrorInfo } from '../gen/google/rpc/error_details.ts'
import { ScaledObjectRef } from '../gen/keda/externalscaler.ts'
import { Assignment, Hello, MethodDefinition, ProgressReport } from './executor.ts'
import { JobFilter, JobSpec } from './jobs.ts'

/** Those that mean something to objects, of which the first is the one that is dropped. */
const name = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', ''),
  fc.string({ unit: 'grapheme' }),
)
const texts = fc.uniqueArray(fc.tuple(name, fc.string({ unit: 'grapheme' })), {
  selector: ([each]) => each,
})
const json = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, fc.string({ unit: 'grapheme' }), fc.boolean(), tie('object')),
  object: fc
    .uniqueArray(fc.tuple(name, tie('value')), { selector: ([each]) => each })
    .map((entries) => Object.fromEntries(entries)),
})).object

interface Message<T> {
  fromPartial(partial: object): T
  encode(message: T): { finish(): Uint8Array }
  decode(bytes: Uint8Array): T
}

/** What is read of what is written, of a message that is made of its parts as clients make it. */
function copied<T>(message: Message<T>, partial: object): T {
  return message.decode(message.encode(message.fromPartial(partial)).finish())
}

const MAPS = {
  labels: (map: object) => copied<JobSpec>(JobSpec, { labels: map }).labels,
  filter: (map: object) => copied<JobFilter>(JobFilter, { labels: map }).labels,
  assignment: (map: object) => copied<Assignment>(Assignment, { labels: map }).labels,
  hello: (map: object) => copied<Hello>(Hello, { labels: map }).labels,
  expressions: (map: object) =>
    copied<MethodDefinition>(MethodDefinition, { labelExpressions: map }).labelExpressions,
  error: (map: object) => copied<ErrorInfo>(ErrorInfo, { metadata: map }).metadata,
  scaler: (map: object) =>
    copied<ScaledObjectRef>(ScaledObjectRef, { scalerMetadata: map }).scalerMetadata,
}

test.each(Object.entries(MAPS))('a map of texts takes any name: %s', (_what, through) => {
  fc.assert(
    fc.property(texts, (entries) => {
      const read = through(Object.fromEntries(entries))
      expect(new Map(Object.entries(read))).toEqual(new Map(entries))
      expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
    }),
  )
})

test('so does JSON within a message, on every level', () => {
  fc.assert(
    fc.property(json, (extra) => {
      const { progress } = copied<ProgressReport>(ProgressReport, { progress: { extra } })
      expect(JSON.stringify(sorted(progress?.extra))).toBe(JSON.stringify(sorted(extra)))
    }),
  )
})

/** As entries: names of numbers come first in objects, and another prototype shows in none. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  return Object.entries(value)
    .map(([name, inner]) => [name, sorted(inner)])
    .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}
