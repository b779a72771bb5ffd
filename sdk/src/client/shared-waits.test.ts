import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { type ClientFixture, setUpClient, until } from '../testing/client-fixture.ts'
import { succeeded } from '../testing/fake-completions.ts'
import type { JobIdentity } from './identity.ts'
import type { Offstage } from './offstage.ts'

/** A client of a job, and the handle of a job that it waits for. */
async function waiting({ offstage, scheduler }: ClientFixture, more: Partial<JobIdentity> = {}) {
  const client: Offstage = offstage.forJob({
    ...{ jobId: 'parent', owner: 'ann', namespace: 'default', scope: '', traceparent: '' },
    ...{ token: '', hasOwnersRights: true, onWaiting() {}, ...more },
  })
  const child = await offstage.startJob('child')
  const value = client.job(child.id).value()
  value.catch(() => {})
  await until(() => scheduler.watches.some(({ targets }) => targets.has(child.id)))
  return { client, value, end: () => scheduler.end(child.id, succeeded(child.id)), id: child.id }
}

test('jobs with the rights of one owner wait over one stream; others over streams of their own', async () => {
  await using it = await setUpClient()
  const parents = [
    await waiting(it),
    await waiting(it),
    await waiting(it, { owner: 'bea' }),
    await waiting(it, { namespace: 'other' }),
    await waiting(it, { hasOwnersRights: false }),
    await waiting(it),
  ]
  const streamOf = ({ id }: { id: string }) =>
    it.scheduler.watches.findIndex(({ targets }) => targets.has(id))
  expect(parents.map(streamOf)).toEqual([0, 0, 1, 2, 3, 0])
  for (const { end } of parents) end()
  expect(await Promise.all(parents.map(({ value }) => value))).toEqual(parents.map(({ id }) => id))
  for (const { client } of parents) await client.close()
  await until(() => it.scheduler.watchesOpen === 0)
})

test('who is closed hears nothing any more, and the others go on, in the name of the next', async () => {
  await using it = await setUpClient()
  const first = await waiting(it, { token: 'first' })
  const second = await waiting(it, { token: 'second' })
  await first.client.close()
  await expect(first.value).rejects.toMatchObject({ reason: 'CANCELLED' })
  await expect(first.client.job(second.id).value()).rejects.toMatchObject({
    reason: 'CANCELLED',
  })
  it.scheduler.breakWatches()
  await until(() => it.scheduler.watchesOpen === 0)
  await until(() => it.clock.pendingTimers === 2)
  await it.clock.advance(100)
  await until(() => it.scheduler.watches.length === 2)
  const names = it.scheduler.watches.map(({ call }) => call.metadata.get('authorization'))
  expect(names).toEqual([['Bearer first'], ['Bearer second']])
  await until(() => it.scheduler.watches[1]?.targets.has(second.id) ?? false)
  second.end()
  expect(await second.value).toBe(second.id)
  await second.client.close()
})

test.each([
  { code: status.UNAUTHENTICATED, reason: 'ATTEMPT_TOKEN_ENDED' as const },
  { code: status.NOT_FOUND, reason: 'ATTEMPT_NOT_HELD' as const },
])('who is not let in ($reason) loses its own waits, and nobody else does', async (refusal) => {
  await using it = await setUpClient()
  const first = await waiting(it)
  const second = await waiting(it)
  it.scheduler.pushes = false
  second.end()
  it.scheduler.refusals = [refusal]
  await it.clock.advance(1_000)
  await expect(first.value).rejects.toMatchObject({ reason: refusal.reason })
  expect(await second.value).toBe(second.id)
  for (const { client } of [first, second]) await client.close()
})

test('who is about to stop speaks for nobody who goes on', async () => {
  await using it = await setUpClient()
  const stop = new AbortController()
  const first = await waiting(it, { signal: stop.signal, token: 'first' })
  const second = await waiting(it, { token: 'second' })
  stop.abort(new Error('canceled'))
  await expect(first.value).rejects.toThrow('canceled')
  it.scheduler.pushes = false
  second.end()
  await it.clock.advance(1_000)
  expect(await second.value).toBe(second.id)
  expect(it.scheduler.metadata.at(-1)?.get('authorization')).toEqual(['Bearer second'])
  for (const { client } of [first, second]) await client.close()
})
