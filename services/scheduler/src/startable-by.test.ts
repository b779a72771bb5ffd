/** Who may start a method is the method's to say (row J5), and so is that it runs with the rights of a service. */
import type * as proto from '@offstage/proto/jobs'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { connectJobs, setup } from './testing/setup.ts'

const job = { method: 'test.job' }
const startableBy = { roles: ['operator'], users: ['build-*', 'carl'] }
const definitions = [{ name: 'test.job', startableBy }, { name: 'test.free' }]
const BY = 'olga:operator'

test('a method is started by whom it names, by role or as a user, and by administrators', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { definitions })
  for (const user of [BY, 'build-7', 'carl', 'root:admin']) {
    await expect(it.as(user).start(job)).resolves.toBeDefined()
  }
  for (const user of ['ann', 'carla', 'sam:service']) {
    const refused = await it
      .as(user)
      .start(job)
      .then(() => undefined, errorFromStatus)
    expect(refused).toMatchObject({
      reason: 'METHOD_NOT_STARTABLE',
      metadata: { method: 'test.job', roles: 'operator' },
    })
    // Users are told to nobody who may not start it.
    expect(refused?.message).not.toMatch(/build|carl/)
    await expect(it.as(user).start({ method: 'test.free' })).resolves.toBeDefined()
  }
  const { jobs } = await it.jobs.list({ methods: ['test.job'] })
  expect(jobs.map(({ owner }) => owner)).toEqual(['root', 'carl', 'build-7', 'olga'])
})

test('of many starts in one call only those are refused that their method refuses', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { definitions })
  const ann = connectJobs(it.address, 'ann')
  try {
    const outcomes = await ann.startMany([job, { method: 'test.free' }, job])
    expect(outcomes.map(({ outcome }) => outcome?.$case)).toEqual(['error', 'started', 'error'])
  } finally {
    ann.close()
  }
})

test('a replica that has not heard the announcement holds to it too, and all to the newest', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { definitions })
  await using other = await setup({ database: it.database })
  await expect(other.as('ann').start(job)).rejects.toThrow('may be started by the roles operator')
  await using _newer = await attachExecutor(it.address)
  await expect(it.as('ann').start(job)).resolves.toBeDefined()
  await expect
    .poll(() => other.as('ann').start(job), { timeout: 15_000 })
    .toMatchObject({ existing: false })
})

test('listings say who may start a method, and its users only to who may see the jobs of others', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { definitions })
  const told = async (user: string) => {
    using namespaces = connectNamespaces(it.address, user)
    return (await namespaces.listMethods()).methods
  }
  const hidden = { roles: ['operator'], users: [] }
  expect(await told('ann')).toMatchObject([
    { name: 'test.free', startable: true, startableBy: undefined },
    { name: 'test.job', startable: false, startableBy: hidden },
  ])
  expect(await told('carl')).toMatchObject([{}, { startable: true, startableBy: hidden }])
  expect(await told('rita:reader')).toMatchObject([
    { startable: false },
    { startable: false, startableBy },
  ])
  expect(await told(BY)).toMatchObject([{}, { startable: true, startableBy }])
})

test('that a job runs privileged is told by its record, for the user who started it', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, {
    definitions: [{ name: 'test.job', privileged: true }, { name: 'test.free' }],
  })
  const privileged = await it.as('ann').start(job)
  const plain = await it.as('ann').start({ method: 'test.free', displayName: 'x' })
  const labelled = await it.as('ann').start({ ...job, labels: { a: 'b' }, displayName: 'x' })
  for (const { jobId } of [privileged, labelled]) {
    expect(await it.as('ann').get(jobId)).toMatchObject({ owner: 'ann', privileged: true })
  }
  expect((await it.as('ann').get(plain.jobId)).privileged).toBeUndefined()
  const assigned = await executor.assigned(3)
  expect(assigned.map(({ owner }) => owner)).toEqual(['ann', 'ann', 'ann'])
  const { jobs } = await it.jobs.list({}, {})
  expect(jobs.filter((each: proto.Job) => each.privileged)).toHaveLength(2)
})
