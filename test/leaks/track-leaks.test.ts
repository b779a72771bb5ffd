/** Leaks that are planted are found, with their place; what leaves nothing is told of nothing (row E4). */
import { EventEmitter } from 'node:events'
import fs, { readFileSync } from 'node:fs'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import { runInScope } from '@offstage/sdk'
import { type LeakReport, type LeakTracking, trackLeaks } from '@offstage/sdk/leaks'
import { until } from '@offstage/testkit'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { LEAKS, quiet, Tidy, undo } from './planted.ts'

const PLANTED = readFileSync(new URL('planted.ts', import.meta.url), 'utf8').split('\n')

beforeAll(() => quiet.start())
afterAll(() => quiet.stop())
afterEach(async () => {
  await Promise.all(undo.splice(0).map((each) => each()))
})

/** Tracks, and notes what is told. */
function track(...names: string[]): { told: LeakReport[]; tracking: LeakTracking } {
  const told: LeakReport[] = []
  const tracking = trackLeaks({ names, onLeaks: (report) => void told.push(report) })
  onTestFinished(() => tracking.stop())
  return { told, tracking }
}

/** The line of code that a place is at. */
function lineAt(place: string | undefined): string {
  const [, line] = /planted\.ts:(\d+)/.exec(place ?? '') ?? []
  return PLANTED[Number(line) - 1]?.trim() ?? `not in planted.ts: ${place}`
}

const LINES: Readonly<Record<string, [kind: string, line: string]>> = {
  timer: ['timer', 'const timer = setInterval(() => {}, 60_000)'],
  'timer that is awaited by nobody': [
    'timer',
    'void delay(60_000, undefined, { signal: aborted.signal }).catch(() => {})',
  ],
  socket: ['socket', "await once(server.listen(0, '127.0.0.1'), 'listening')"],
  file: ['file', 'const file = await open(HERE)'],
  'file by number': ['file', "const file = openSync(HERE, 'r')"],
  'file watcher': ['file', 'const watcher = watch(HERE)'],
  listener: ['listener', "listener: () => void shared.on('change', () => {}),"],
  'listener of a signal': [
    'listener',
    "'listener of a signal': () => controller.signal.addEventListener('abort', () => {}),",
  ],
  'request whose answer is not read': ['request', "await once(get(quiet.url), 'response')"],
  'request of fetch whose answer is not read': ['request', 'unread.push(await fetch(quiet.url))'],
  worker: ['worker', "const worker = new Worker('setInterval(() => {}, 1_000)', { eval: true })"],
  process: ['process', "const child = spawn('sleep', ['60'])"],
}

const { prepareStackTrace } = Error

test('of a run that makes ever more only so many are followed', async () => {
  const { told } = track('many')
  const timers: NodeJS.Timeout[] = []
  // As V8 tells stacks: with source maps it takes seconds.
  Object.assign(Error, { prepareStackTrace: undefined })
  undo.push(async () => {
    Object.assign(Error, { prepareStackTrace })
    for (const timer of timers) clearTimeout(timer)
  })
  for (let run = 0; run < 2; run += 1) {
    await runInScope('many', () => {
      for (let n = 0; n < 1_050; n += 1) timers.push(setTimeout(() => {}, 60_000))
    })
  }
  expect(told.map(({ leaks }) => leaks.map(({ kind, count }) => [kind, count]))).toEqual([
    [['timer', 1_000]],
  ])
})

const { prototype: set } = Set
const { add } = set

/** What code makes of what all share, and how that ends. */
const TURNED: Readonly<Record<string, [turn: () => void, back: () => void]>> = {
  'errors have a limit that cannot be set': [
    () => Object.defineProperty(Error, 'stackTraceLimit', { value: 10, writable: false }),
    () => Object.defineProperty(Error, 'stackTraceLimit', { value: 10, writable: true }),
  ],
  'stacks cannot be read': [
    () => {
      Error.prepareStackTrace = () => {
        throw new Error('no stack')
      }
    },
    () => {
      Object.assign(Error, { prepareStackTrace })
    },
  ],
  'sets take nothing': [
    () => {
      set.add = () => {
        throw new Error('no set')
      }
    },
    () => {
      set.add = add
    },
  ],
}

test.each(Object.entries(TURNED))(
  'a run goes on as if nobody looked where %s',
  async (_, [turn, back]) => {
    track('turned')
    const run = () =>
      runInScope('turned', async () => {
        turn()
        try {
          const timer = setInterval(() => {}, 60_000)
          undo.push(async () => clearInterval(timer))
          fs.closeSync(fs.openSync(import.meta.filename, 'r'))
          process.once('SIGUSR2', () => {}).removeAllListeners('SIGUSR2')
        } finally {
          if (set.add !== add) back()
        }
        return 'done'
      })
    try {
      for (let turns = 0; turns < 3; turns += 1) expect(await run()).toBe('done')
    } finally {
      back()
    }
  },
)

test.each(Object.entries(LEAKS))(
  'a %s that a run leaves behind is told, with its line',
  async (what, leak) => {
    const { told, tracking } = track('leaks')
    // Another run owns what is shared.
    for (let run = 0; run < 4; run += 1) await runInScope('leaks', leak)
    const report = told.at(-1)
    expect(report?.run).toBe('leaks')
    const leaks = report?.leaks.map(({ kind, count, openedAt }) => [kind, count, lineAt(openedAt)])
    const [kind, line] = LINES[what] ?? []
    expect(leaks).toEqual([[kind, 1, line]])
    const [figures] = tracking.figures()
    expect(figures?.runs).toBe(4)
    expect(figures?.leaks.map(({ kind, open }) => [kind, open >= 2])).toEqual([[kind, true]])
  },
)

test('a run that closes what it opens, and keeps connections for the next, is told of nothing', async () => {
  const tidy = new Tidy()
  await tidy.start()
  onTestFinished(() => tidy.stop())
  const { told, tracking } = track('tidy')
  for (let run = 0; run < 2; run += 1) await runInScope('tidy', () => tidy.run())
  await Promise.all(Array.from({ length: 3 }, () => runInScope('tidy', () => tidy.run())))
  expect(told).toEqual([])
  expect(tracking.figures()).toEqual([{ name: 'tidy', runs: 5, leaks: [] }])
})

test('what overlapping runs leave is told of each, and of runs within one another of the innermost that is tracked', async () => {
  const { told, tracking } = track('outer', 'inner')
  const inner = () => runInScope('inner', async () => LEAKS.timer?.())
  const outer = async () => {
    await Promise.all([inner(), runInScope('another', () => LEAKS.listener?.()), setImmediate()])
  }
  await runInScope('first', () => LEAKS.listener?.())
  await Promise.all([runInScope('outer', outer), runInScope('outer', outer)])
  await Promise.all([runInScope('outer', outer), runInScope('other', () => LEAKS.socket?.())])
  const figures = tracking.figures().map(({ name, runs, leaks }) => {
    return [name, runs, leaks.map(({ kind, left }) => [kind, left])]
  })
  expect(figures).toEqual([
    ['outer', 3, [['listener', 3]]],
    ['inner', 3, [['timer', 3]]],
  ])
  expect(new Set(told.map(({ run }) => run))).toEqual(new Set(['outer', 'inner']))
})

test('memory that runs keep is told with what each takes, and what is let go is not', async () => {
  const { told } = track('keeps', 'lets go')
  const kept: Buffer[] = []
  const runs = async (name: string, work: () => unknown) => {
    for (let run = 0; run < 16; run += 1) await runInScope(name, work)
    // Between two collections.
    await delay(60)
  }
  // Collections take a tenth of the time, and long on a busy machine.
  const timeoutMs = 40_000
  await until(
    async () => {
      await runs('keeps', () => void kept.push(Buffer.alloc(100 * 1024)))
      return told.length > 0
    },
    { timeoutMs },
  )
  expect(told[0]?.leaks.map(({ kind }) => kind)).toEqual(['heap'])
  expect((told[0]?.leaks[0]?.bytesPerRun ?? 0) / 1024).toBeCloseTo(100, -1.5)
  const before = told.length
  for (let window = 0; window < 6; window += 1)
    await runs('lets go', () => Buffer.alloc(100 * 1024))
  expect(told.slice(before).filter(({ run }) => run === 'lets go')).toEqual([])
})

test('it tells from the first run where it is told to, and of nothing once it is stopped, when all is as it was', async () => {
  const functions = () => [
    EventEmitter.prototype.on,
    EventEmitter.prototype.addListener,
    EventEmitter.prototype.prependListener,
    EventTarget.prototype.addEventListener,
    fs.open,
    fs.openSync,
    fs.close,
    fs.closeSync,
    fs.promises.open,
  ]
  const before = functions()
  const told: LeakReport[] = []
  const onLeaks = (report: LeakReport) => void told.push(report)
  const tracking = trackLeaks({ names: ['a'], onLeaks, fromFirstRun: true })
  expect(functions().filter((each) => before.includes(each))).toEqual([])
  await runInScope('a', () => LEAKS.timer?.())
  expect(told).toHaveLength(1)
  tracking.track(['b'])
  await runInScope('a', () => LEAKS.timer?.())
  expect(tracking.figures()).toEqual([])
  tracking.stop()
  expect(functions()).toEqual(before)
  await runInScope('b', (run) => expect(run.followed).toBeUndefined())
  expect(told).toHaveLength(1)
})

test('without a listener a warning tells, and a listener that fails fails no run', async () => {
  const warned: Error[] = []
  const onWarning = (warning: Error) => warned.push(warning)
  process.on('warning', onWarning)
  onTestFinished(() => void process.off('warning', onWarning))
  for (const onLeaks of [undefined, () => Promise.reject(new Error('no'))]) {
    using _tracking = trackLeaks({ names: ['GET /'], fromFirstRun: true, onLeaks })
    expect(await runInScope('GET /', () => LEAKS.timer?.())).toBeUndefined()
  }
  await until(() => warned.length === 2)
  for (const { message } of warned) {
    expect(message).toMatch(/^GET \/ left a timer behind:\n- 1 timer, at .*planted\.ts:\d+:\d+/)
  }
})

test.each([
  ['trackLeaks has no option name; it has names,', { names: ['a'], name: 'a' }],
  ['names must be names, each a text that is not empty, not', { names: [''] }],
  ['names must be names, each a text that is not empty, not "a"', { names: 'a' }],
  ['onLeaks must be a function, not 1', { names: ['a'], onLeaks: 1 }],
])('%s', (problem, options) => {
  expect(() => trackLeaks(options as never)).toThrow(problem)
})
