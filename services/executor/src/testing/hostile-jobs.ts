/** Jobs that harm what they share with others. */
import { setTimeout as pause } from 'node:timers/promises'
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
