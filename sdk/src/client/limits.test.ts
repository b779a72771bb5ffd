/** What a service would refuse by its limits rejects before any call: the table is the same. */
import { LIMITS } from '@offstage/proto/limits'
import { expect, test } from 'vitest'
import { setUpClient } from '../testing/client-fixture.ts'
import type { Offstage } from './offstage.ts'

type Call = (client: Offstage) => Promise<unknown>

const text = (length: number) => 'x'.repeat(length)
const labels = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, '']))
const start = (options: object): Call => {
  return (client) => client.startJob('a', {}, options)
}
const list = (filter: object, options = {}): Call => {
  return (client) => client.listJobsPage(filter, options)
}
const cancel = (options: object): Call => {
  return (client) => client.cancel('job-1', options)
}
const put = (options: object): Call => {
  return (client) => client.storage.put(Buffer.from('x'), options)
}
const openScope = (options: object): Call => {
  return async (client) => void (await (await client.storage.openScope(options)).close())
}

test.each<[string, Call, Call]>([
  ['method', (c) => c.startJob(text(200)), (c) => c.startJob(text(201))],
  ['method', (c) => c.startJob('a.b'), (c) => c.startJob('a b')],
  ['priority', start({ priority: 1_000 }), start({ priority: 1_001 })],
  ['priority', start({ priority: -1_000 }), start({ priority: -5_000 })],
  ['inlineWaitMs', start({ inlineWaitMs: 60_000 }), start({ inlineWaitMs: 60_001 })],
  ['key', start({ key: text(200) }), start({ key: text(201) })],
  ['key', start({ key: '😀'.repeat(200) }), start({ key: 'a\0b' })],
  ['requestId', start({ requestId: text(100) }), start({ requestId: text(101) })],
  ['displayName', start({ displayName: text(200) }), start({ displayName: text(201) })],
  ['labels', start({ labels: labels(32) }), start({ labels: labels(33) })],
  ['labels[a]', start({ labels: { a: text(255) } }), start({ labels: { a: text(256) } })],
  ['labels[x', start({ labels: { [text(63)]: '' } }), start({ labels: { [text(64)]: '' } })],
  [
    'deadlines.attemptMs',
    start({ deadlines: { attemptMs: LIMITS.attemptDeadlineMsMax } }),
    start({ deadlines: { attemptMs: LIMITS.attemptDeadlineMsMax + 1 } }),
  ],
  [
    'retry.backoffMsMax',
    start({ retry: { initialBackoffMs: 5, backoffMsMax: 5 } }),
    start({ retry: { initialBackoffMs: 6, backoffMsMax: 5 } }),
  ],
  [
    'retry.backoffMsMax',
    start({ retry: { backoffMsMax: 1_000 } }),
    start({ retry: { backoffMsMax: 999 } }),
  ],
  ['reason', cancel({ reason: text(1_000) }), cancel({ reason: text(1_001) })],
  ['graceMs', cancel({ graceMs: 3_600_000 }), cancel({ graceMs: 3_600_001 })],
  ['pageSize', list({}, { pageSize: 1_000 }), list({}, { pageSize: 1_001 })],
  ['pageSize', list({}, { pageSize: 1 }), list({}, { pageSize: 0 })],
  ['methods', list({ methods: Array(100).fill('a') }), list({ methods: Array(101).fill('a') })],
  ['owner', list({ owner: text(255) }), list({ owner: text(256) })],
  ['timeToLiveMs', put({ timeToLiveMs: 2_592_000_000 }), put({ timeToLiveMs: 2_592_000_001 })],
  ['timeToLiveMs', put({ timeToLiveMs: 1 }), put({ timeToLiveMs: 0 })],
  ['contentType', put({ contentType: `a/${text(98)}` }), put({ contentType: `a/${text(99)}` })],
  [
    'contentType',
    put({ contentType: 'text/csv; header=present' }),
    put({ contentType: 'a/b\r\n' }),
  ],
  ['owner', put({ owner: text(255) }), put({ owner: text(256) })],
  ['leaseMs', openScope({ leaseMs: 5_000 }), openScope({ leaseMs: 4_999 })],
  ['leaseMs', openScope({ leaseMs: 86_400_000 }), openScope({ leaseMs: 86_400_001 })],
  ['displayName', openScope({ displayName: text(200) }), openScope({ displayName: text(201) })],
])('%s', async (name, atLimit, beyond) => {
  await using it = await setUpClient()
  const error = await beyond(it.offstage).then(
    () => new Error('it was taken'),
    (thrown: Error) => thrown,
  )
  expect(error.message).toContain(`${name} `.replace('[x ', '[x'))
  expect(error.name).toMatch(/^(Type|Range)Error$/)
  expect(it.scheduler.metadata).toEqual([])
  // What the fake services answer does not matter: it was sent.
  const sent = await atLimit(it.offstage).catch((thrown: Error) => thrown)
  expect(String(sent)).not.toMatch(/^(Type|Range)Error/)
})
