/** Jobs that harm what they share with others. */
import { closeSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { parentPort, threadId } from 'node:worker_threads'
import { defineJob } from '@offstage/sdk/jobs'
import { z } from 'zod'
import { PIPE } from '../lanes/process-pipe.ts'

function fail(): never {
  throw new Error('nobody catches this')
}

function overflow(): number {
  return overflow() + 1
}

function fillHeap(): never {
  const held: unknown[] = []
  for (;;) held.push(Array.from({ length: 1_000 }, (_, at) => ({ at })))
}

/** Errors that are none when somebody looks at them. */
const UNLIKELY = {
  text: () => ({ toString: 1 }),
  stack: () => Object.assign(new Error('no'), { stack: 5 }),
  code: () => Object.assign(new Error('no'), { code: { toString: 1 } }),
  length: () => Object.assign(new Error('no'), { stack: 'x'.repeat(2 ** 25) }),
}
export type Unlikely = keyof typeof UNLIKELY
export const UNLIKELY_ERRORS = Object.keys(UNLIKELY) as Unlikely[]

export const throwUnlikely = defineJob({
  method: 'test.throw-unlikely',
  async run(_job, { by }: { by: Unlikely }) {
    setTimeout(() => {
      throw UNLIKELY[by]()
    }, 1)
    await new Promise(() => {})
  },
})

/** Reads what nobody writes, and takes its thread along. */
export const stuck = defineJob({
  method: 'test.stuck',
  async run(job, { pipe }: { pipe: string }) {
    job.message('running')
    // It is said at the end of a turn.
    await pause(1)
    return readFileSync(pipe, 'utf8')
  },
})

/** Each ends the thread of its handler, some when that has waited before. */
const ENDS = {
  nextTick: () => void process.nextTick(fail),
  timer: () => void setTimeout(fail, 1),
  rejection: () => void Promise.reject(new Error('nobody catches this')),
  exit: () => process.exit(3),
  overflowInTimer: () => void setTimeout(overflow, 1),
  overflowInPromise: () => void Promise.resolve().then(overflow),
  memory: fillHeap,
  /** Tells nobody, and when nobody is called. */
  silently: async () => {
    await pause(1)
    Reflect.get(process, 'reallyExit').call(process, 3)
  },
  later: async () => {
    await pause(1)
    process.exit(3)
  },
}
export type EndOfThread = keyof typeof ENDS

export const endThread = defineJob({
  method: 'test.end-thread',
  async run(_job, { by }: { by: EndOfThread }) {
    await ENDS[by]()
    await new Promise(() => {})
  },
})

/** What is bad, and to be survived. */
const MISCHIEF = {
  recurse: overflow,
  recurseLater: async () => {
    await pause(1)
    return overflow()
  },
  kill: () => process.kill(process.pid, 'SIGKILL'),
  killByText: () => process.kill(`${process.pid}` as unknown as number, 0),
  killAll: () => process.kill(-1, 0),
  killParent: () => process.kill(process.ppid, 0),
  abort: () => process.abort(),
  chdir: () => process.chdir('/'),
  flood: () => {
    const megabyte = Buffer.alloc(2 ** 20)
    for (let n = 0; n < 200; n += 1) parentPort?.postMessage(megabyte)
  },
}
export type Mischief = keyof typeof MISCHIEF
export const MISCHIEF_ENDS: Readonly<Record<Mischief, RegExp>> = {
  recurse: /^Maximum call stack size exceeded/,
  recurseLater: /^Maximum call stack size exceeded/,
  kill: /^process\.kill/,
  killByText: /^process\.kill/,
  killAll: /^process\.kill\(-1\)/,
  killParent: /^process\.kill/,
  abort: /^process\.abort\(\) is not supported in workers/,
  chdir: /^process\.chdir\(\) is not supported in workers/,
  flood: /^succeeded$/,
}

export const mischief = defineJob({
  method: 'test.mischief',
  async run(_job, { what }: { what: Mischief }) {
    await MISCHIEF[what]()
  },
})

/** Each ends the process of its handler. */
const CRASHES = {
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  abort: () => process.abort(),
  exit: () => process.exit(3),
  throw: () => void setTimeout(fail, 1),
  memory: fillHeap,
  disconnect: () => {
    setInterval(() => {}, 60_000)
    closeSync(PIPE)
  },
}
export type Crash = keyof typeof CRASHES

export const crashProcess = defineJob({
  method: 'test.crash-process',
  async run(_job, { by }: { by: Crash }) {
    CRASHES[by]()
    await new Promise(() => {})
  },
})

/** Says in which process it is and what that can see, having computed without end where it is told to. */
export const confined = defineJob({
  method: 'test.confined',
  async run(job, { spins = false }: { spins?: boolean } = {}) {
    const { pid, env, argv, execArgv } = process
    job.message(`${pid}`)
    job.progress(50, 'half')
    await pause(1)
    if (spins) for (;;);
    return { pid, env: Object.keys(env), seen: JSON.stringify([env, argv, execArgv]) }
  },
})

/** Has ended when its thread does. */
export const timeBomb = defineJob({
  method: 'test.time-bomb',
  run: () => void setTimeout(fail, 20),
})

function throws(): never {
  throw new Error('not any more')
}

const spied: unknown[] = []
const { stringify } = JSON

/** Each changes what all code of its thread shares. */
const CHANGES = {
  'Map.prototype.get': () => {
    Map.prototype.get = () => undefined
  },
  'JSON.stringify': () => {
    JSON.stringify = ((value: unknown) => {
      spied.push(value)
      return stringify(value)
    }) as typeof stringify
  },
  'JSON.parse': () => {
    JSON.parse = throws
  },
  'Object.prototype.planted': () => {
    Object.assign(Object.prototype, { planted: 1 })
  },
  'Promise.prototype.then': () => Reflect.set(Promise.prototype, 'then', throws),
  'Array.prototype[Symbol.iterator]': () => {
    Array.prototype[Symbol.iterator] = throws
  },
  'Function.prototype.call': () => {
    Function.prototype.call = throws
  },
  'Atomics.compareExchange': () => {
    Atomics.compareExchange = throws
  },
  "process.on('uncaughtException')": () => {
    process.on('uncaughtException', () => {})
  },
  "process.on('exit')": () => {
    process.removeAllListeners('exit')
  },
  'process.env.PLANTED': () => {
    process.env.PLANTED = '1'
  },
}
export const CHANGED = Object.keys(CHANGES)

/** A method for each, which says on which thread it has run. */
export const changers = Object.values(CHANGES).map((change, at) =>
  defineJob({
    method: `test.change-${at}`,
    run() {
      change()
      return threadId
    },
  }),
)

/** Waits for what JSON.stringify is told of others. */
export const patientSpy = defineJob({
  method: 'test.patient-spy',
  async run(job) {
    CHANGES['JSON.stringify']()
    job.message('running')
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve))
    return spied.length
  },
})

/** Gives a secret when it is told to stop. */
export const secretive = defineJob({
  method: 'test.secretive',
  async run(job) {
    job.message('running')
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve))
    return { secret: job.id }
  },
})

/** Holds more than a thread may, outside of its heap. */
export const hoard = defineJob({
  method: 'test.hoard',
  lane: 'task',
  async run(job, { mib }: { mib: number }) {
    const held = Array.from({ length: mib }, () => Buffer.alloc(2 ** 20, 1))
    job.message('running')
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve))
    return held.length
  },
})

function spin(): never {
  for (;;);
}

/** Throws what nobody can look at, or gives what nobody can write down, for neither ends. */
export const endless = defineJob({
  method: 'test.endless',
  async run(job, { as }: { as: 'stack' | 'toJSON' }) {
    job.message('running')
    await pause(50)
    if (as === 'toJSON') return { toJSON: spin }
    throw Object.defineProperty(new Error('no'), 'stack', { get: spin })
  },
})

/** The first thread that checks its parameters never comes to an end of it. */
export const stuckOnce = defineJob({
  method: 'test.stuck-once',
  params: z.object({ mark: z.string() }).refine(({ mark }) => {
    if (existsSync(mark)) return true
    writeFileSync(mark, '')
    for (;;);
  }),
  run: () => threadId,
})
