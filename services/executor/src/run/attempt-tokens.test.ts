import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Refusal } from '@offstage/kit/grpc'
import { Lane } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { fakeTokenOf } from '../testing/fake-scheduler.ts'
import { setup } from '../testing/setup.ts'

const TOKEN = { OFFSTAGE_TOKEN: 'executors-own' }

test('a handler calls by the token of its attempt, which the executor gets by its own', async () => {
  await using it = await setup(TOKEN)
  it.scheduler.jobs.endChildren()
  for (const lane of [Lane.LANE_INLINE, Lane.LANE_TASK, Lane.LANE_WORK]) {
    it.attachment.assign(`${lane}`, 'test.parent', undefined, { lane, attempt: lane + 1 })
    await it.attachment.result(`${lane}`)
  }
  const { bearers } = it.scheduler.jobs
  const own = (n: number) => `Bearer ${fakeTokenOf({ jobId: `${n}`, attempt: n + 1 })}`
  expect(bearers).toEqual([own(1), own(1), own(2), own(2), own(3), own(3)])
  const { sessionId } = it.executor
  const common = { sessionId, namespace: 'default', by: 'Bearer executors-own' }
  expect(it.scheduler.tokenRequests).toEqual([
    { ...common, jobId: '1', attempt: 2 },
    { ...common, jobId: '2', attempt: 3 },
    { ...common, jobId: '3', attempt: 4 },
  ])
})

test('for a handler that calls nobody no token is made', async () => {
  await using it = await setup(TOKEN)
  it.attachment.assign('a', 'test.about')
  await it.attachment.value('a')
  expect(it.scheduler.tokenRequests).toEqual([])
})

test('without a token of its own, as in development, an executor asks for none', async () => {
  await using it = await setup()
  it.scheduler.jobs.endChildren()
  it.attachment.assign('a', 'test.parent')
  await it.attachment.value('a')
  expect(it.scheduler.tokenRequests).toEqual([])
  expect(it.scheduler.jobs).toMatchObject({ users: ['ann', 'ann'], bearers: ['', ''] })
})

test('where the scheduler runs in development mode, handlers act by the name of the owner', async () => {
  await using it = await setup(TOKEN, (scheduler) => {
    scheduler.isDevelopment = true
  })
  it.scheduler.jobs.endChildren()
  it.attachment.assign('a', 'test.parent')
  await it.attachment.value('a')
  expect(it.scheduler.jobs.users).toEqual(['ann', 'ann'])
})

test.each([true, false])(
  'a client that is kept past the end of its attempt gets no token (it called before: %s)',
  async (calls) => {
    await using it = await setup(TOKEN)
    it.attachment.assign('a', 'test.keeper', { calls })
    await it.attachment.result('a')
    const asked = it.scheduler.tokenRequests.length
    expect(asked).toBe(calls ? 1 : 0)
    // As the services do with the token of an attempt that has ended.
    it.scheduler.jobs.refusal = new Refusal({ reason: 'ATTEMPT_TOKEN_ENDED', message: 'ended' })
    it.attachment.assign('b', 'test.latecomer')
    const fault = await it.attachment.fault('b')
    expect(fault.reason).toBe('ATTEMPT_TOKEN_ENDED')
    expect(fault.brief).toContain('the attempt has ended')
    expect(it.scheduler.tokenRequests).toHaveLength(asked)
  },
)

test.each([true, false])(
  'a client that is kept past the end of its attempt starts nothing in development either (it called before: %s)',
  async (calls) => {
    await using it = await setup()
    it.attachment.assign('a', 'test.keeper', { calls })
    await it.attachment.result('a')
    it.attachment.assign('b', 'test.latecomer')
    expect(await it.attachment.fault('b')).toMatchObject({ reason: 'ATTEMPT_TOKEN_ENDED' })
    expect(it.scheduler.jobs.users).toHaveLength(calls ? 1 : 0)
  },
)

test('a token that cannot be had fails the call for the reason of the scheduler', async () => {
  await using it = await setup(TOKEN)
  it.scheduler.tokenRefusal = new Refusal({ reason: 'ATTEMPT_NOT_HELD', message: 'not yours' })
  it.attachment.assign('a', 'test.parent')
  expect(await it.attachment.fault('a')).toMatchObject({
    reason: 'ATTEMPT_NOT_HELD',
    brief: 'the executor gets no token for this attempt: not yours',
  })
})

test('a scheduler that is away for a while holds up the call and does not fail it', async () => {
  await using it = await setup(TOKEN)
  it.scheduler.jobs.endChildren()
  it.scheduler.tokenRefusal = new Refusal({ reason: 'DATABASE_UNAVAILABLE', message: 'away' })
  it.attachment.assign('a', 'test.parent')
  await expect.poll(() => it.scheduler.tokenRequests.length).toBeGreaterThan(1)
  it.scheduler.tokenRefusal = undefined
  expect(await it.attachment.value('a')).toEqual([7, 7])
})

test('nothing that a handler finds in its thread holds the token of the executor', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-token-'))
  const file = join(folder, 'planted-secret-file')
  await writeFile(file, 'planted-secret')
  const ways: Record<string, string>[] = [
    { OFFSTAGE_TOKEN: 'planted-secret' },
    { OFFSTAGE_TOKEN_FILE: file },
  ]
  for (const way of ways) {
    Object.assign(process.env, way)
    await using it = await setup(way)
    for (const name of Object.keys(way)) delete process.env[name]
    for (const lane of [Lane.LANE_INLINE, Lane.LANE_WORK]) {
      it.attachment.assign(`${lane}`, 'test.snoop', undefined, { lane })
      expect(await it.attachment.value(`${lane}`)).not.toContain('planted-secret')
    }
  }
  await rm(folder, { recursive: true })
})
