/** Runs the example of versions: an executor of the new code beside one of the old. */
import { join } from 'node:path'
import { Offstage } from '@offstage/sdk'
import { spawnProcess, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { filesOf, openPlayground, ROOT } from './testing/playground.ts'

/** What was deployed before. */
const OLD = `
import { defineJob } from '@offstage/sdk'
export const report = defineJob({ method: 'reports.total', run: () => 'of the old code' })
`

test('new code runs beside old, and a start that requires a version is given to it alone', async () => {
  await using resources = new AsyncDisposableStack()
  const files = { ...(await filesOf('docs/guides/executors.md')), 'old.ts': OLD }
  const env = { OFFSTAGE_METHOD_VERSION: '1' }
  const playground = resources.use(await openPlayground(files, ['old.ts'], env))
  const { shell, places } = playground
  const scheduler = places.OFFSTAGE_SCHEDULER
  await using offstage = await Offstage.connect({ scheduler, storage: places.OFFSTAGE_STORAGE })

  const waits = playground.run('start-new.ts')
  const jobs = async () => (await offstage.listJobsPage()).jobs
  await until(async () => (await jobs()).length > 0, { what: 'the job is queued' })
  const [job] = await jobs()
  expect(job).toMatchObject({ state: 'queued', requiredVersion: '2' })
  const told = await shell(
    `offstage explain ${job?.id}; offstage start reports.total --wait --require-version 1`,
  )
  expect(told).toContain(
    'announces version 2 of it is attached to namespace default: of reports.total the one that is there announces version 1',
  )
  expect(told).toMatch(/"of the old code"\n$/)
  resources.use(
    await spawnProcess({
      main: join(ROOT, 'services/executor/src/main.ts'),
      cwd: playground.folder,
      env: { ...places, OFFSTAGE_JOBS: 'reports.ts', OFFSTAGE_EXECUTOR_PORT: '0' },
      ready: /serving gRPC/,
      readyTimeoutMs: 60_000,
    }),
  )
  expect(await waits).toBe('total 3\n')
  const shown = await shell('offstage executors; offstage methods')
  expect(shown).toMatch(
    /reports\.total@1(.|\n)*reports\.total@2|reports\.total@2(.|\n)*reports\.total@1/,
  )
  expect(shown).toMatch(/reports\.total +inline +2 +1, 2 /)
}, 120_000)
