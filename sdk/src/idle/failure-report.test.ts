import { inspect } from 'node:util'
import { afterEach, beforeEach, expect, type MockInstance, test, vi } from 'vitest'
import { createTestTable } from '../testing/test-table.ts'
import type { IdleHandlersOptions } from './options.ts'

let write: MockInstance<typeof console.error>

beforeEach(() => {
  write = vi.spyOn(console, 'error').mockImplementation(() => undefined)
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** Runs a failing handler and a sound one; expects that the sound one is none the worse for it. */
async function expectOthersRun(fail: () => unknown, onError?: IdleHandlersOptions['onError']) {
  using it = createTestTable({ onError })
  it.table.attach(it.table.owner('form', 'invoice'), fail, { intervalMs: 100 })
  it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 100 })
  await it.clock.advance(200)
  expect(it.runs).toEqual(['a@100', 'a@200'])
}

const failure = new Error('no luck')
const failing = {
  throws: () => {
    throw failure
  },
  rejects: () => Promise.reject(failure),
}

test.each(['throws', 'rejects'] as const)(
  'a handler that %s is written to the console when nobody listens',
  async (how) => {
    await expectOthersRun(failing[how])
    const line = [`idle handler ${how} of form "invoice" failed`, failure]
    expect(write.mock.calls).toEqual([line, line])
  },
)

test.each(['throws', 'rejects'] as const)(
  'an onError that %s is written to the console, after what it was told',
  async (how) => {
    await expectOthersRun(failing.throws, failing[how])
    const told = ['idle handler throws of form "invoice" failed', failure]
    const own = ['onError of the idle handlers failed', failure]
    expect(write.mock.calls).toEqual([told, own, told, own])
  },
)

test('an error that cannot be shown is reported without it', async () => {
  write.mockImplementation((...details) => void inspect(details))
  const unshowable = {
    [inspect.custom]() {
      throw new Error('not for your eyes')
    },
  }
  await expectOthersRun(function fail() {
    throw unshowable
  })
  expect(write.mock.lastCall).toEqual(['idle handler fail of form "invoice" failed'])
})

test('a console that throws is put up with', async () => {
  write.mockImplementation(() => {
    throw new Error('no console here')
  })
  for (const fail of [failing.throws, failing.rejects]) await expectOthersRun(fail)
})

test.each([
  { name: Symbol('tick'), title: 'idle handler Symbol(tick) of form "invoice" failed' },
  { name: '', title: 'idle handler anonymous of form "invoice" failed' },
  { name: Object.create(null), title: 'an idle handler failed' },
])('a handler can have any name: $title', async ({ name, title }) => {
  const fail = () => {
    throw failure
  }
  await expectOthersRun(Object.defineProperty(fail, 'name', { value: name }))
  expect(write.mock.lastCall).toEqual([title, failure])
})
