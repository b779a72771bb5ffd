/** Jobs that harm what they share with others. */
import { setTimeout as pause } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { defineJob } from '@offstage/sdk/jobs'

function fail(): never {
  throw new Error('nobody catches this')
}

/** Each ends the thread of its handler, some when that has waited before. */
const ENDS = {
  nextTick: () => void process.nextTick(fail),
  timer: () => void setTimeout(fail, 1),
  rejection: () => void Promise.reject(new Error('nobody catches this')),
  exit: () => process.exit(3),
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
