import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { setUpClient } from '../testing/client-fixture.ts'
import { succeeded } from '../testing/fake-completions.ts'
import { addressOf, scopeOf } from '../testing/place-names.ts'
import { Offstage } from './offstage.ts'

async function setUp(scope?: string) {
  const it = await setUpClient(scope === undefined ? {} : { scope })
  it.storage.keep(addressOf('here'), null)
  it.storage.scopes.set(scopeOf('open'), 0)
  it.scheduler.onStart = () => succeeded(1)
  return it
}

describe('a start that names a place in temp storage', () => {
  test.each([
    ['resultAddress', { resultAddress: addressOf('nowhere') }, 'VALUE_NOT_FOUND'],
    [
      'additionalResult',
      { resultAddress: addressOf('here'), additionalResult: addressOf('gone') },
      'VALUE_NOT_FOUND',
    ],
    ['scope', { scope: scopeOf('closed'), resultAddress: addressOf('here') }, 'SCOPE_NOT_FOUND'],
  ])('is refused before the job is made where %s is wrong', async (field, options, reason) => {
    await using it = await setUp()
    const refusal = { reason, violations: [{ field }] }
    await expect(it.offstage.startJob('a', {}, options)).rejects.toMatchObject(refusal)
    await expect(it.offstage.startJob('a', {}, options)).rejects.toThrow(`${field}: `)
    await expect(it.offstage.run('a', {}, options)).rejects.toMatchObject(refusal)
    await expect(it.offstage.startJobs('a', [1, 2], options)).rejects.toMatchObject(refusal)
    await expect(it.offstage.runAll('a', [1, 2], options)).rejects.toMatchObject(refusal)
    expect(it.scheduler.jobs.size).toBe(0)
  })

  test('is refused too where the scope is that of the client, and nothing large was moved', async () => {
    await using it = await setUp(scopeOf('closed'))
    const params = 'x'.repeat(100_000)
    const start = it.offstage.startJob('a', params)
    await expect(start).rejects.toMatchObject({ reason: 'SCOPE_NOT_FOUND' })
    expect(it.storage.writesBegun).toBe(0)
  })

  test('goes on where all of them are right, each asked for once however many jobs there are', async () => {
    await using it = await setUp()
    const places = {
      scope: scopeOf('open'),
      resultAddress: addressOf('here'),
      additionalResult: addressOf('here'),
    }
    await it.offstage.run('a', {}, places)
    expect(it.storage.scopes.get(scopeOf('open'))).toBe(1)
    await it.offstage.startJobs('a', Array.from({ length: 1_200 }), places)
    expect(it.storage.scopes.get(scopeOf('open'))).toBe(2)
    await it.offstage.runAll('a', [1, 2, 3, 4], { ...places, concurrency: 1 })
    expect(it.storage.scopes.get(scopeOf('open'))).toBe(3)
  })

  test('in a bulk of its own is refused alone', async () => {
    await using it = await setUp()
    const outcomes = await it.offstage.startJobsSettled(
      'a',
      [addressOf('here'), addressOf('nowhere'), addressOf('here')],
      {
        each: (address) => ({ resultAddress: String(address) }),
      },
    )
    expect(outcomes.map(({ error }) => error?.reason)).toEqual([
      undefined,
      'VALUE_NOT_FOUND',
      undefined,
    ])
  })

  test('is not refused by a storage that cannot be asked', async () => {
    await using it = await setUp()
    await using away = await Offstage.connect({
      scheduler: it.scheduler.address,
      storage: '127.0.0.1:1',
    })
    expect(await away.run('a', {}, { resultAddress: addressOf('here') })).toBe(1)
    it.storage.refusals.push({ code: status.INTERNAL, reason: 'INTERNAL' })
    expect(await it.offstage.run('a', {}, { resultAddress: addressOf('here') })).toBe(1)
  })

  test('asks nothing where none is named, nor in a job whose scope was looked at before', async () => {
    await using it = await setUp()
    await it.offstage.run('a', {})
    const inJob = it.offstage.forJob({
      ...{ jobId: 'parent-1', owner: 'ada', token: '', namespace: '', traceparent: '' },
      scope: scopeOf('closed'),
      onWaiting() {},
    })
    await inJob.startJob('a', {})
    expect(it.storage.asked).toBe(0)
    await inJob.close()
  })
})
