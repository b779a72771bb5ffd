/** An executor announces no method and serves no pool but those its grant names, in no namespace but its own. */
import { createInProcessBus } from '@offstage/kit/bus'
import { createLogger } from '@offstage/kit/telemetry'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { readSchedulerConfig } from './config.ts'
import { createScheduler } from './scheduler.ts'
import { openFreshDatabase } from './testing/fresh-database.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const runner = {
  user: 'runner',
  roles: ['executor'],
  namespaces: ['default'],
  attach: { methods: ['reports.*', 'mail'], pools: ['default', 'tenant-*'] },
} as const

/** A scheduler to which everybody is the runner. */
async function begin() {
  const it = new AsyncDisposableStack()
  const database = it.use(await openFreshDatabase({ poolSize: 4 }))
  const bus = it.use(createInProcessBus())
  const log = createLogger({ name: 'scheduler', level: 'error' })
  const env = { OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1/unused' }
  const config = { ...readSchedulerConfig(env), port: 0 }
  const options = { config, database, bus, log, authenticate: () => runner }
  const scheduler = it.use(createScheduler(options))
  await scheduler.start()
  return { address: scheduler.address, [Symbol.asyncDispose]: () => it.disposeAsync() }
}

test('a hello with another method is refused, naming it, and announces nothing', async () => {
  await using it = await begin()
  await using granted = await attachExecutor(it.address, { methods: ['reports.build', 'mail'] })
  expect(granted.error).toBeUndefined()
  const methods = ['reports.build', 'books.close', 'mailer', 'reports']
  await using other = await attachExecutor(it.address, { methods })
  expect(other.error && errorFromStatus(other.error)).toMatchObject({
    reason: 'ATTACH_NOT_ALLOWED',
    metadata: { methods: 'books.close, mailer, reports' },
  })
  await using elsewhere = await attachExecutor(it.address, { methods, namespace: 'elsewhere' })
  expect(elsewhere.error && errorFromStatus(elsewhere.error).reason).toBe('NAMESPACE_NOT_FOUND')
})

test('a hello with another pool is refused, naming it; the pool of jobs that name none is one too', async () => {
  await using it = await begin()
  const methods = ['mail']
  const hello = (pools: string[]) => attachExecutor(it.address, { methods, hello: { pools } })
  await using granted = await hello(['tenant-a', 'default'])
  expect(granted.error).toBeUndefined()
  await using other = await hello(['tenant-a', 'other'])
  expect(other.error && errorFromStatus(other.error)).toMatchObject({
    reason: 'ATTACH_NOT_ALLOWED',
    metadata: { pools: 'other' },
  })
})
