import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import { turnRound } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)

test('large parameters and results travel through temp storage, and the caller does not notice', async () => {
  await using cluster = await startCluster({ jobs, schedulers: 1, executors: 1, storage: true })
  await using offstage = await Offstage.connect({
    scheduler: cluster.target(),
    storage: cluster.storage,
  })
  const text = Array.from({ length: 200_000 }, (_, i) => `${i} `).join('')
  const answer = await offstage.run(turnRound, { text })
  expect(answer.text).toBe([...text].reverse().join(''))

  // They are the job's own: they stay as long as it does, whatever else ends, and go with it, though storage is away then.
  const left = async () => {
    let count = 0
    for await (const _ of offstage.storage.list()) count += 1
    return count
  }
  const [first] = (await offstage.listJobsPage()).jobs
  const failed = await offstage.startJob('cluster.turn-round', { wrong: text })
  expect((await failed.waitForCompletion()).state).toBe('failed')
  const scope = await offstage.storage.openScope()
  const large = await offstage.startJob(turnRound, { text }, { scope: scope.id })
  expect((await large.value()).text).toBe(answer.text)
  await scope.close()
  expect((await large.value()).text).toBe(answer.text)
  expect(await left()).toBe(5)
  await cluster.storages[0]?.process.kill('SIGKILL')
  await offstage.deleteJob(first?.id ?? '')
  await cluster.storages[0]?.restart()
  await until(async () => (await left()) === 3, { what: 'those of the removed job to be deleted' })
  await offstage.deleteJob(failed.id)
  await offstage.deleteJob(large.id)
  await until(async () => (await left()) === 0, { what: 'all of them to be deleted' })

  // The same result at a place of the caller's own, twice over.
  const { address } = await offstage.storage.reserve()
  for (const word of ['stressed', 'drawer']) {
    const job = await offstage.startJob(turnRound, { text: word }, { resultAddress: address })
    const done = await job.waitForCompletion()
    expect(done.state).toBe('succeeded')
    expect(await offstage.storage.readAndDelete(address)).toEqual({
      text: [...word].reverse().join(''),
    })
  }

  // A later run at the same place is not taken for an earlier one.
  const runAt = (word: string) =>
    offstage.startJob(turnRound, { text: word }, { resultAddress: address })
  const earlier = await runAt('live')
  await offstage.waitAll([earlier])
  const later = await runAt('diaper')
  expect(await later.value()).toEqual({ text: 'repaid' })
  await expect(earlier.value()).rejects.toMatchObject({ reason: 'RESULT_REPLACED' })
  const { text: there } = await offstage.storage.get<{ text: string }>(address)
  expect(there).toBe('repaid')
}, 60_000)
