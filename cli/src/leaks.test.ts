/** Leaks are looked for in all lanes, for a while, and told on the record of the job and by `offstage leaks` (row E4). */
import { fileURLToPath } from 'node:url'
import { type JobMethod, Offstage, runInScope, type StartOptions } from '@offstage/sdk'
import type { JobMessage } from '@offstage/sdk/client'
import type { LeakReport } from '@offstage/sdk/leaks'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { leakMemory, leakSection, leakTimer, tidy } from './testing/leak-jobs.ts'
import { type Setup, setup } from './testing/setup.ts'

let it: Setup
let client: Offstage
beforeAll(async () => {
  it = await setup(
    { OFFSTAGE_EXECUTOR_PROCESS_SLOTS: '1' },
    fileURLToPath(new URL('testing/leak-jobs.ts', import.meta.url)),
  )
  const { OFFSTAGE_SCHEDULER: scheduler, OFFSTAGE_STORAGE: storage } = it.places
  client = await Offstage.connect({ scheduler, storage })
  const names = [leakTimer, leakMemory, tidy].map(({ method }) => method)
  await it.offstage('leaks', 'on', ...names, 'a section', '--for', '5m')
})
afterAll(async () => {
  await client.close()
  await it[Symbol.asyncDispose]()
})

/** Runs it, and tells what was said on its record. */
async function messagesOf(job: JobMethod<void, void>, options: StartOptions = {}) {
  const messages: JobMessage[] = []
  const handle = await client.startJob(job, undefined, options)
  await handle.waitForCompletion({ onMessage: (message) => messages.push(message) })
  return messages
}

/** Runs it until something is said. */
async function firstMessageOf(job: JobMethod<void, void>, options?: StartOptions) {
  const messages: JobMessage[] = []
  await until(async () => messages.push(...(await messagesOf(job, options))) > 0)
  return messages[0]
}

async function figuresOf(name: string) {
  const { figures } = await client.leaks.list()
  return figures.find((each) => each.name === name)
}

test.for(['inline', 'task', 'work', 'process'] as const)(
  'a leak in lane %s is told on the record of its job, with the line that has made it',
  async (lane) => {
    expect(await firstMessageOf(leakTimer, { lane })).toMatchObject({
      severity: 'warning',
      text: expect.stringMatching(
        /^leaks\.timer left a timer behind at .*leak-jobs\.ts:10:\d+\)?$/,
      ),
      extra: {
        run: 'leaks.timer',
        leaks: [{ kind: 'timer', count: 1, openedAt: expect.stringContaining('leak-jobs.ts:10:') }],
      },
    })
  },
)

test('of attempts that overlap in one thread each has its own: what another leaves is not told of a tidy one', async () => {
  await firstMessageOf(leakSection)
  const runs = Array.from({ length: 10 }, () => [messagesOf(tidy), messagesOf(leakSection)])
  const [ofTidy, ofSection] = [0, 1].map((which) => runs.map((pair) => pair[which]))
  expect((await Promise.all(ofTidy ?? [])).flat()).toEqual([])
  // Where each run has a thread of its own, what the SDK opens for it is opened there.
  expect(await messagesOf(tidy, { lane: 'work' })).toEqual([])
  const told = (await Promise.all(ofSection ?? [])).flat()
  expect(told).toHaveLength(10)
  expect(told[0]?.text).toMatch(/^a section left a socket behind at .*leak-jobs\.ts:/)
  await until(async () => (await figuresOf('leaks.tidy'))?.runs === 11)
  expect(await figuresOf('leaks.tidy')).toEqual({ name: 'leaks.tidy', runs: 11, leaks: [] })
})

test('memory that runs keep is told with what each of them takes', async () => {
  const told = await firstMessageOf(leakMemory)
  expect(told?.text).toMatch(/^leaks\.memory grew the heap by 2\d\d KiB a run$/)
})

test('a section of a service is looked at while operators want it', async () => {
  const found: LeakReport[] = []
  await client.leaks.track('checkout')
  const timers: NodeJS.Timeout[] = []
  const checkout = () => void timers.push(setInterval(() => {}, 60_000))
  {
    await using _following = client.leaks.follow({ onLeaks: (report) => void found.push(report) })
    await until(async () => {
      await runInScope('checkout', checkout)
      return found.length > 1
    })
  }
  for (const timer of timers) clearInterval(timer)
  expect(found[0]).toMatchObject({ run: 'checkout', leaks: [{ kind: 'timer', count: 1 }] })
  // All was told before it ended.
  const { runs = 0, leaks } = (await figuresOf('checkout')) ?? {}
  expect([runs >= 3, leaks?.map(({ kind }) => kind)]).toEqual([true, ['timer']])
  await runInScope('checkout', (run) => expect(run.followed).toBeUndefined())
})

test('the command shows what was found and what is looked for, until it is told to look no longer', async () => {
  await until(async () => (await figuresOf('leaks.memory'))?.leaks.length === 1)
  const shown = await it.offstage('leaks')
  expect(shown.stderr).toMatch(/^leaks of a section are looked for, for \d+ s more$/m)
  expect(shown.stdout).toMatch(/^leaks\.timer +\d+ +timer +\d+ +\d+ +\d+ +at .*leak-jobs\.ts:10:/m)
  expect(shown.stdout).toMatch(/^leaks\.tidy +11 +- +0 +0 +0$/m)
  expect(shown.stdout).toMatch(/^leaks\.memory +\d+ +heap +2\d\d KiB a run$/m)
  expect(await it.offstage('leaks', 'off')).toMatchObject({ code: 0, stdout: '', stderr: '' })
  expect((await client.leaks.list()).tracked).toEqual([])
  await until(async () => (await messagesOf(leakTimer)).length === 0)
  expect((await it.offstage('leaks')).stderr).toBe('')
})

test.each([
  ['names must be a list of at most 100 names, each of 1 to 200 characters', ['on', '']],
  ['durationMs must be milliseconds from 1000 to 86400000', ['on', 'a', '--for', '2d']],
])('%s', async (problem, args) => {
  expect(await it.offstage('leaks', ...args)).toMatchObject({
    stderr: expect.stringContaining(problem),
  })
})
