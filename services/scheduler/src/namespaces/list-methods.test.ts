import { expect, test } from 'vitest'
import { connectNamespaces } from '../testing/namespaces.ts'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor } from '../testing/scripted-executor.ts'

test('methods are listed by name with what was announced, who runs them and whether they are paused', async () => {
  await using it = await start()
  using namespaces = connectNamespaces(it.address)
  const definition = {
    name: 'test.b',
    description: 'does it',
    paramsSchema: '{"type":"object"}',
    retryPolicy: { maxAttempts: 5 },
    deadlines: { attempt: { seconds: 9n, nanos: 0 } },
  }
  await using first = await attachExecutor(it.address, {
    definitions: [definition, { name: 'test.a' }],
  })
  await using _second = await attachExecutor(it.address, { methods: ['test.a'] })
  await using _elsewhere = await attachExecutor(it.address, {
    methods: ['test.c'],
    namespace: 'elsewhere',
  })
  await namespaces.pauseMethod('test.b')
  const { methods, nextPageToken } = await namespaces.listMethods()
  expect(nextPageToken).toBe('')
  expect(methods).toMatchObject([
    { name: 'test.a', paused: false, executorCount: 2, lane: 1 },
    { ...definition, paused: true, executorCount: 1 },
  ])
  const page = await namespaces.listMethods({ pageSize: 1 })
  expect(page.methods.map(({ name }) => name)).toEqual(['test.a'])
  const rest = await namespaces.listMethods({ pageToken: page.nextPageToken })
  expect(rest.methods.map(({ name }) => name)).toEqual(['test.b'])
  const foreign = namespaces.listMethods({ namespace: 'elsewhere', pageToken: page.nextPageToken })
  await expect(foreign).rejects.toThrow('page_token')

  // What nobody runs any more stays known.
  first.cut()
  await expect
    .poll(async () => (await namespaces.listMethods()).methods, { timeout: 10_000 })
    .toMatchObject([{ executorCount: 1 }, { name: 'test.b', executorCount: 0, paused: true }])
})
