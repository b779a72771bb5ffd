/** That what runs guarded is. */
import { Offstage } from '@offstage/sdk'
import { expect, test } from 'vitest'
import { startCluster } from '../cluster/cluster.ts'
import { family } from '../cluster/jobs.ts'
import { namesOfTests, OPEN_ONLY } from './files.ts'

const jobs = new URL('../cluster/jobs.ts', import.meta.url)

test('services that a test starts ask for certificates and tokens, and clients have both', async () => {
  await using cluster = await startCluster({ jobs, schedulers: 1, executors: 1, storage: true })
  const places = { scheduler: cluster.target(), storage: cluster.storage }
  await using offstage = await Offstage.connect(places)
  expect(await offstage.run(family, { n: 21 })).toBe(42)
  const owners = (await offstage.listJobsPage()).jobs.map(({ owner }) => owner)
  expect(owners).toEqual(['guarded', 'guarded'])

  await expect(Offstage.connect({ ...places, tls: false })).rejects.toThrow('cannot reach')
  const ca = process.env.OFFSTAGE_TLS_CA ?? ''
  await expect(Offstage.connect({ ...places, tls: { ca } })).rejects.toThrow('cannot reach')
  await using stranger = await Offstage.connect({ ...places, token: 'not.a.token' })
  await expect(stranger.listJobsPage()).rejects.toMatchObject({ reason: /^TOKEN_/ })
})

test('what does not run guarded is there', () => {
  expect(namesOfTests()).toEqual(expect.arrayContaining(Object.keys(OPEN_ONLY)))
})
