import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Offstage } from '@offstage/sdk'
import { spawnProcess } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { countRowGroups, readRowGroup } from './flights.ts'
import { delaysPart } from './jobs.ts'
import { summarizeCells, tallyFlights } from './report.ts'
import { renderReport } from './table.ts'

/** Two processes start and decode three million rows twice: a busy machine takes its time. */
const BUSY = { timeout: 120_000 }

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The services with one slot for the report and its parts: a parent that kept it would wait for ever. */
const resources = new AsyncDisposableStack()
let places: { readonly scheduler: string; readonly storage: string }
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-flights-'))
  resources.defer(() => rm(folder, { recursive: true, force: true }))
  const services = resources.use(
    await spawnProcess({
      main: pathOf('../../../cli/src/main.ts'),
      args: ['dev', '--port-base', '0', '--data-dir', folder, '--jobs', pathOf('jobs.ts')],
      env: { OFFSTAGE_EXECUTOR_TASK_SLOTS: '1' },
      ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    }),
  )
  const [, scheduler = '', storage = ''] = services.ready
  places = { scheduler, storage }
})
afterAll(() => resources.disposeAsync())

test('the demo prints the table that the flights give when counted in one go', BUSY, async () => {
  const env = {
    ...process.env,
    OFFSTAGE_SCHEDULER: places.scheduler,
    OFFSTAGE_STORAGE: places.storage,
  }
  const { stdout } = await promisify(execFile)(process.execPath, [pathOf('main.ts')], { env })

  const parts = []
  for (let rowGroup = 0; rowGroup < (await countRowGroups()); rowGroup += 1) {
    parts.push(tallyFlights(await readRowGroup(rowGroup)))
  }
  expect(stdout).toContain(renderReport(summarizeCells(parts)))
  expect(stdout).toMatch(/^trace {2}[0-9a-f]{32}$/m)
  expect(stdout).toContain('100 %')
  expect(stdout).toMatch(/bytes read from temp storage/)

  await using offstage = await Offstage.connect(places)
  const { jobs } = await offstage.listJobsPage({ methods: [delaysPart.method] })
  expect(jobs.map(({ state }) => state)).toEqual(Array(11).fill('succeeded'))
  expect(new Set(jobs.map(({ parentJobId }) => parentJobId)).size).toBe(1)
})

test('a part that the file does not have fails at once, and says so', BUSY, async () => {
  await using offstage = await Offstage.connect(places)
  const job = await offstage.startJob(delaysPart, { rowGroup: 11 })
  const done = await job.waitForCompletion()
  expect(done).toMatchObject({
    state: 'failed',
    error: { brief: 'there is no row group 11: the file has 11' },
  })
  expect((await job.refresh()).attempt).toBe(1)
})
