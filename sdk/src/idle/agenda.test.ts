import { expect, test } from 'vitest'
import { createTestTable } from '../testing/test-table.ts'
import type { IdleHandler } from './attachment.ts'

test('due together, application runs before module before form, equals in order of attachment (row I3)', async () => {
  using it = createTestTable()
  for (const name of [
    'form 1',
    'module 1',
    'application 1',
    'form 2',
    'module 2',
    'application 2',
  ]) {
    const level = name.split(' ')[0] as 'form' | 'module' | 'application'
    it.table.attach(it.table.owner(level, name), it.handler(name), { intervalMs: 100 })
  }
  await it.clock.advance(100)
  const names = it.runs.map((run) => run.split('@')[0])
  const expected = ['application 1', 'application 2', 'module 1', 'module 2', 'form 1', 'form 2']
  expect(names).toEqual(expected)
})

test('handlers that became due at different times of one long call are due together', async () => {
  using it = createTestTable()
  it.table.attach(it.table.owner('form'), it.handler('form'), { intervalMs: 100 })
  it.table.attach(it.table.owner('module'), it.handler('module'), { intervalMs: 200 })
  it.table.attach(it.table.owner('application'), it.handler('application'), { intervalMs: 300 })
  using call = it.activity.begin()
  await it.clock.advance(350)
  call.end()
  await it.clock.advance()
  expect(it.runs).toEqual(['application@350', 'module@350', 'form@350'])
})

test('a handler attached again comes after its equals', async () => {
  using it = createTestTable()
  const form = it.table.owner('form')
  const first = it.handler('a')
  it.table.attach(form, first, { intervalMs: 100 })
  it.table.attach(form, it.handler('b'), { intervalMs: 100 })
  it.table.attach(form, first, { intervalMs: 100 })
  await it.clock.advance(100)
  expect(it.runs).toEqual(['b@100', 'a@100'])
})

test('an application handler slower than its interval does not starve a form', async () => {
  using it = createTestTable()
  const slow = it.handler('slow', () => it.clock.delay(150))
  it.table.attach(it.table.owner('application'), slow, { intervalMs: 100 })
  it.table.attach(it.table.owner('form'), it.handler('form'), { intervalMs: 200 })
  await it.clock.advance(850)
  it.table.dispose()
  await it.clock.advance(150)
  expect(it.runs).toEqual([
    'slow@100',
    'form@250', // due since 200, while `slow` ran
    'slow@250',
    'form@400',
    'slow@400',
    'slow@550', // the form is not due before 600
    'form@700',
    'slow@700',
    'form@850',
    'slow@850',
  ])
})

test.each([
  {
    slow: { takesMs: 2_500, intervalMs: 1_000 },
    fastIntervalMs: 1_000,
    runs: ['slow@1000', 'fast@3500', 'slow@3500', 'fast@6000', 'slow@6000', 'fast@8500'],
  },
  {
    slow: { takesMs: 1_500, intervalMs: 1_000 },
    fastIntervalMs: 700,
    runs: ['fast@700', 'slow@1000', 'fast@2500', 'slow@2500', 'fast@4000', 'slow@4000'],
  },
])(
  'a handler that takes $slow.takesMs ms does not come again before its equal that was waiting',
  async ({ slow, fastIntervalMs, runs }) => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const wait = it.handler('slow', () => it.clock.delay(slow.takesMs))
    it.table.attach(form, wait, { intervalMs: slow.intervalMs })
    it.table.attach(form, it.handler('fast'), { intervalMs: fastIntervalMs })
    await it.clock.advance(9_000)
    it.table.dispose()
    await it.clock.advance(slow.takesMs)
    expect(it.runs.slice(0, runs.length)).toEqual(runs)
  },
)

test('nor does one that attaches itself anew in each run', async () => {
  using it = createTestTable()
  const application = it.table.owner('application')
  const slow = it.handler('slow', () => {
    it.table.attach(application, slow, { intervalMs: 100, once: true })
    return it.clock.delay(150)
  })
  it.table.attach(application, slow, { intervalMs: 100, once: true })
  it.table.attach(it.table.owner('form'), it.handler('form'), { intervalMs: 200 })
  await it.clock.advance(400)
  it.table.dispose()
  await it.clock.advance(150)
  expect(it.runs).toEqual(['slow@100', 'form@250', 'slow@250', 'form@400', 'slow@400'])
})

/** Lets a form stand against application handlers that hold the table all the time; counts its runs. */
async function runsOfFormBeside(it: ReturnType<typeof createTestTable>) {
  let runs = 0
  const count = () => {
    runs += 1
  }
  it.table.attach(it.table.owner('form'), count, { intervalMs: 100 })
  for (let n = 0; n < 20; n += 1) await it.clock.advance(100)
  it.table.dispose()
  await it.clock.advance(150)
  return runs
}

test('nor do two that attach each other', async () => {
  using it = createTestTable()
  const application = it.table.owner('application')
  const attach = (handler: IdleHandler) =>
    it.table.attach(application, handler, { intervalMs: 100, once: true })
  const ping = () => {
    attach(pong)
    return it.clock.delay(150)
  }
  const pong = () => {
    attach(ping)
    return it.clock.delay(150)
  }
  attach(ping)
  expect(await runsOfFormBeside(it)).toBeGreaterThan(3)
})

test('nor does one that puts a new one in its place', async () => {
  using it = createTestTable()
  const application = it.table.owner('application')
  const attachNew = () => {
    const slow = () => {
      attachNew()
      return it.clock.delay(150)
    }
    it.table.attach(application, slow, { intervalMs: 100, once: true })
  }
  attachNew()
  expect(await runsOfFormBeside(it)).toBeGreaterThan(3)
})

test.each(['throw', 'reject'])(
  'nor do those that %s and in whose place onError puts new ones',
  async (how) => {
    using it = createTestTable({ onError: () => attachNew() })
    const application = it.table.owner('application')
    const failure = new Error('try again')
    const attachNew = () => {
      const slow = () => {
        if (how === 'reject') return it.clock.delay(150).then(() => Promise.reject(failure))
        it.clock.jump(150)
        throw failure
      }
      it.table.attach(application, slow, { intervalMs: 100, once: true, strict: false })
    }
    attachNew()
    attachNew()
    expect(await runsOfFormBeside(it)).toBeGreaterThan(3)
  },
)

test('a handler that waited through a block runs before one that ran while it waited', async () => {
  using it = createTestTable()
  const blocks: Disposable[] = []
  const blocking = it.handler('module', () => blocks.push(it.table.blockAll()))
  it.table.attach(it.table.owner('module'), blocking, { intervalMs: 100 })
  it.table.attach(it.table.owner('form'), it.handler('form'), { intervalMs: 100 })
  await it.clock.advance(250)
  expect(it.newRuns()).toEqual(['module@100'])
  it.table.attach(it.table.owner('application'), it.handler('application'), { intervalMs: 100 })
  await it.clock.advance(100)
  blocks[0]?.[Symbol.dispose]()
  await it.clock.advance()
  expect(it.newRuns()).toEqual(['application@350', 'form@350', 'module@350'])
})
