import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { setUpClient } from '../testing/client-fixture.ts'
import { defineReference } from '../values/mod.ts'
import { keyText } from './job-key.ts'

test.each([
  ['a text', 'flights', 'flights'],
  ['a number', 42, '["number","42"]'],
  ['a boolean', true, 'true'],
  ['a bigint', 42n, '["bigint","42"]'],
  ['a date', new Date(5), '["date",["number","5"]]'],
  ['a reference', defineReference('customer', 'c7'), '["reference","customer","c7"]'],
  ['a flat object', { b: 1, a: 'x' }, '["structure",[["a","x"],["b",["number","1"]]]]'],
])('the key of %s is its canonical text', (_what, key, text) => {
  expect(keyText(key)).toBe(text)
})

test('the order of properties makes no other key', () => {
  expect(keyText({ tenant: 'acme', day: 1 })).toBe(keyText({ day: 1, tenant: 'acme' }))
})

test('of a value whose text is longer than a key may be, the key is the hash', () => {
  const key = { text: 'x'.repeat(200) }
  const canonical = `["structure",[["text","${key.text}"]]]`
  expect(keyText(key)).toBe(`sha256:${createHash('sha256').update(canonical).digest('hex')}`)
  expect(keyText({ text: 'x'.repeat(201) })).not.toBe(keyText(key))
})

test('half a character, which would be sent as that of others, is refused in what tells things apart', async () => {
  await using it = await setUpClient()
  const half = 'a\ud800'
  const said = /(key|requestId) has half of a character/
  await expect(it.offstage.startJob('a', {}, { key: half })).rejects.toThrow(said)
  await expect(it.offstage.startJob('a', {}, { requestId: half })).rejects.toThrow(said)
  expect(it.scheduler.starts).toEqual([])
})

test('jobs are started and found by the same value', async () => {
  await using it = await setUpClient()
  const key = { tenant: 'acme', day: 3 }
  const text = '["structure",[["day",["number","3"]],["tenant","acme"]]]'
  await it.offstage.startJob('a', {}, { key })
  await it.offstage.startJobs('a', [1], { each: () => ({ key }) })
  await it.offstage.listJobsPage({ key })
  const sent = [it.scheduler.starts[0]?.job, it.scheduler.bulkStarts[0]?.jobs[0]]
  expect(sent.map((job) => job?.key)).toEqual([text, text])
  expect(it.scheduler.filters).toMatchObject([{ key: text }])
})
