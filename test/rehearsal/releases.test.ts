/** One release beside the one before: executors and callers of either with services of the other. */
import { cp, mkdir } from 'node:fs/promises'
import { spawnProcess } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { type Service, startCluster } from '../cluster/cluster.ts'
import { lastRelease, type Version } from './versions.ts'

const OURS = new URL('.', import.meta.url)

/** The release before, with the jobs and the caller of the rehearsal. */
async function before(): Promise<Version> {
  const version = await lastRelease()
  await mkdir(version.file('test/rehearsal/'), { recursive: true })
  for (const file of ['jobs.ts', 'caller.ts'])
    await cp(new URL(file, OURS), version.file(`test/rehearsal/${file}`))
  return version
}

async function rehearse(jobs: URL, caller: URL, mainOf: (service: Service) => URL | undefined) {
  await using cluster = await startCluster({
    jobs,
    schedulers: 1,
    storage: true,
    executors: 1,
    mainOf,
  })
  const env = { OFFSTAGE_SCHEDULER: cluster.target(), OFFSTAGE_STORAGE: cluster.storage }
  const child = await spawnProcess({ main: caller, env, ready: /^results (.*)$/ })
  expect(await child.exited).toMatchObject({ code: 0 })
  return JSON.parse(child.ready[1] ?? '')
}

test('executors and callers of the release before work with the services of this one, and the other way round', {
  timeout: 300_000,
}, async () => {
  await using old = await before()
  const theirs = (file: string) => old.file(`test/rehearsal/${file}`)
  const ours = (file: string) => new URL(file, OURS)
  const main = (service: Service) => old.file(`services/${service}/src/main.ts`)
  const results = [42, 8, 'yx']
  const oldExecutors = (service: Service) => (service === 'executor' ? main(service) : undefined)
  expect(await rehearse(theirs('jobs.ts'), theirs('caller.ts'), oldExecutors), old.name).toEqual(
    results,
  )
  const oldServices = (service: Service) => (service === 'executor' ? undefined : main(service))
  expect(await rehearse(ours('jobs.ts'), ours('caller.ts'), oldServices), old.name).toEqual(results)
})
