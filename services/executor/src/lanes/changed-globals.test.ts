import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { CHANGED } from '../testing/hostile-jobs.ts'
import { setup } from '../testing/setup.ts'

const TOLD =
  'a handler changed what all code of its thread shares; the thread is given nothing more'

test('whatever a handler changes of what its thread shares, its neighbours end as they would, later jobs run elsewhere, and the log names it', {
  timeout: 60_000,
}, async () => {
  await using it = await setup()
  const { attachment, logged } = it
  for (const [at, name] of CHANGED.entries()) {
    attachment.assign(`neighbour of ${name}`, 'test.secretive')
    await attachment.running(`neighbour of ${name}`)
    attachment.assign(name, `test.change-${at}`)
    const thread = await attachment.value(name)
    const told = () =>
      logged.filter(
        ({ msg, changed }) => msg === TOLD && Array.isArray(changed) && changed.includes(name),
      )
    await until(() => told().length > 0, { what: `${name} is told` })
    expect(told()).toEqual([
      expect.objectContaining({ methods: expect.arrayContaining([`test.change-${at}`]) }),
    ])
    attachment.assign(`next to ${name}`, 'test.whereabouts')
    expect(await attachment.value(`next to ${name}`)).not.toBe(thread)
    attachment.cancel(`neighbour of ${name}`, { graceMs: 60_000 })
    const { outcome } = await attachment.result(`neighbour of ${name}`)
    expect([name, outcome?.$case]).toEqual([name, 'succeeded'])
  }
  expect(attachment.handedBack).toEqual([])
})

test('a JSON.stringify that a handler has put in its place sees no result of its neighbours', async () => {
  await using it = await setup()
  const { attachment } = it
  attachment.assign('spy', 'test.patient-spy')
  await attachment.running('spy')
  attachment.assign('other', 'test.echo', { secret: 1 })
  expect(await attachment.value('other')).toEqual({ secret: 1 })
  attachment.cancel('spy', { graceMs: 60_000 })
  expect(await attachment.value('spy')).toBe(0)
})

test('what the job modules and each run of a handler leave as it was changes no thread', async () => {
  await using it = await setup()
  const { attachment, logged } = it
  for (const method of ['test.echo', 'test.about', 'test.nothing', 'test.greet', 'test.counter']) {
    attachment.assign(method, method, { name: 'Ann', to: 3 })
    await attachment.result(method)
  }
  attachment.assign('a', 'test.whereabouts')
  const first = await attachment.value('a')
  attachment.assign('b', 'test.whereabouts')
  expect(await attachment.value('b')).toBe(first)
  expect(logged).toEqual([])
})
