/** Schedules declared in code (row K1): executors of several deployments, attached to one scheduler. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createExecutor, readExecutorConfig } from '@offstage/executor'
import { createInProcessBus } from '@offstage/kit/bus'
import { openPglite } from '@offstage/kit/database'
import { createLogger } from '@offstage/kit/telemetry'
import { createScheduler, readSchedulerConfig } from '@offstage/scheduler'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'

const it = new AsyncDisposableStack()
const log = createLogger({ name: 'test', level: 'silent' })
let address: string
let folder: string
let schedules: Offstage['schedules']

beforeAll(async () => {
  const scratch = fileURLToPath(new URL('../.offstage/', import.meta.url))
  await mkdir(scratch, { recursive: true })
  folder = await mkdtemp(`${scratch}declared-`)
  it.defer(() => rm(folder, { recursive: true }))
  const database = it.use(await openPglite({}))
  const bus = it.use(createInProcessBus())
  const env = { OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1/unused' }
  const config = { ...readSchedulerConfig(env), port: 0 }
  const scheduler = it.use(createScheduler({ database, bus, log, config }))
  await scheduler.start()
  address = scheduler.address
  const offstage = it.use(await Offstage.connect({ scheduler: address, storage: '127.0.0.1:1' }))
  schedules = offstage.schedules
})
afterAll(() => it.disposeAsync())

let attached = 0
/** An executor of a deployment, when what it declares has been looked at: the last one is one that is new. */
async function deploy(declared: string) {
  const marker = `marker-${++attached}`
  const jobs = join(folder, `${marker}.ts`)
  await writeFile(
    jobs,
    `import { defineJob, defineSchedule } from '@offstage/sdk'
     import { z } from 'zod'
     export const report = defineJob({
       method: 'reports.nightly',
       params: z.object({ top: z.number().int() }),
       labels: (params) => ({ top: String(params.top) }),
       run: (job, { top }) => top,
     })
     const all = { job: report, params: { top: 20 } }
     export const schedules = [
       ${declared}
       defineSchedule({ ...all, id: '${marker}', cron: '@yearly' }),
     ]`,
  )
  const env = {
    ...{ OFFSTAGE_JOBS: jobs, OFFSTAGE_SCHEDULER: address, OFFSTAGE_EXECUTOR_PORT: '0' },
    OFFSTAGE_STORAGE: '127.0.0.1:1',
  }
  const executor = createExecutor({ config: readExecutorConfig(env), log })
  await executor.start()
  const isThere = () =>
    schedules.get(marker).then(
      () => true,
      () => false,
    )
  await until(isThere, { what: marker })
  return { [Symbol.asyncDispose]: () => executor.stop() }
}

const nightly = `defineSchedule({ ...all, id: 'nightly', version: 1, cron: '30 2 * * *', timeZone: 'Europe/Berlin' }),`
const earlier = `defineSchedule({ ...all, id: 'nightly', version: 2, cron: '0 1 * * *', timeZone: 'Europe/Berlin' }),`
const larger = `defineSchedule({ ...all, id: 'nightly', version: 3, params: { top: 50 }, cron: '0 1 * * *', timeZone: 'Europe/Berlin' }),`
const gone = `defineSchedule({ id: 'nightly', version: 4, removed: true }),`

test('deployments side by side leave the schedule to the newest of them, and operators what they have changed', async () => {
  await using _first = await deploy(nightly)
  expect(await schedules.get('nightly')).toMatchObject({
    ...{ cron: ['30 2 * * *'], timeZone: 'Europe/Berlin', isPredefined: true, isPaused: false },
    ...{ method: 'reports.nightly', params: { top: 20 }, labels: { top: '20' } },
  })
  await using _second = await deploy(earlier)
  await using _firstAgain = await deploy(nightly)
  expect((await schedules.get('nightly')).cron).toEqual(['0 1 * * *'])

  await schedules.pause('nightly', 'stock-taking')
  await schedules.update('nightly', { cron: '0 9 * * *' })
  await using _third = await deploy(larger)
  expect(await schedules.get('nightly')).toMatchObject({
    ...{ isPaused: true, pauseReason: 'stock-taking', cron: ['0 9 * * *'] },
    ...{ params: { top: 50 }, labels: { top: '50' } },
  })

  await using _fourth = await deploy(gone)
  await using _thirdAgain = await deploy(larger)
  await expect(schedules.get('nightly')).rejects.toMatchObject({ reason: 'SCHEDULE_NOT_FOUND' })
})

test.each([
  [
    'parameters that do not fit its job',
    `defineSchedule({ ...all, id: 'bad', params: { top: 'x' }, cron: '@daily' }),`,
    /schedule bad cannot be declared: .*reports\.nightly.*top/s,
  ],
  [
    'a job of other modules',
    `defineSchedule({ id: 'bad', job: defineJob({ method: 'no.such', run: () => 1 }), cron: '@daily' }),`,
    /schedule bad starts no\.such, which none of the job modules defines/,
  ],
])('an executor with a schedule of %s does not start, and says why', async (_, declared, text) => {
  await expect(deploy(declared)).rejects.toThrow(text)
})
