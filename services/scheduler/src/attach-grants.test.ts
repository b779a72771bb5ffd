/** An executor announces no method and serves no pool but those its grant names, in no namespace but its own. */
import { errorFromStatus } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const runner = {
  user: 'runner',
  roles: ['executor'],
  namespaces: ['default'],
  attach: { methods: ['reports.*', 'mail'], pools: ['default', 'tenant-*'] },
} as const

/** To whom everybody is the runner. */
const begin = () => start({ authenticate: () => runner })

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
