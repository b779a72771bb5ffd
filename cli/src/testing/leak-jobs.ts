/** Jobs that leak in known lines, and one that does not. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { defineJob, runInScope } from '@offstage/sdk'

const kept: Buffer[] = []

export const leakTimer = defineJob({
  method: 'leaks.timer',
  run: () => void setInterval(() => {}, 60_000),
})

export const leakSection = defineJob({
  method: 'leaks.section',
  run: () =>
    runInScope('a section', async () => {
      await once(createServer().listen(0, '127.0.0.1'), 'listening')
    }),
})

export const leakMemory = defineJob({
  method: 'leaks.memory',
  run: () => void kept.push(Buffer.alloc(256 * 1024)),
})

/** Waits for the others with a timer of its own, so that they overlap. */
export const tidy = defineJob({
  method: 'leaks.tidy',
  run: () =>
    new Promise<void>((resolve) => {
      const timer = setInterval(() => {}, 60_000)
      setTimeout(() => {
        clearInterval(timer)
        resolve()
      }, 20)
    }),
})
