/** Jobs that run on an executor or in the process of their caller (row L7). */

import { existsSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { defineJob, NonRetryableError } from '@offstage/sdk/jobs'

export const double = defineJob({
  method: 'fore.double',
  run(job, { n }: { readonly n: number }) {
    job.progress(50, 'half', { of: n })
    job.message('doubling', { severity: 'warning', extra: { n } })
    return 2 * n
  },
})

export const flaky = defineJob({
  method: 'fore.flaky',
  lane: 'task',
  retry: { maxAttempts: 3, initialBackoffMs: 1, jitter: 0 },
  run(job, { failures }: { readonly failures: number }) {
    job.heartbeat({ attempt: job.attempt })
    if (job.attempt > failures) return { attempt: job.attempt, before: job.lastHeartbeat ?? null }
    throw new Error(`not yet: ${job.attempt}`)
  },
})

export const wrong = defineJob({
  method: 'fore.wrong',
  run() {
    throw new NonRetryableError('There is no paper left.')
  },
})

export const endless = defineJob({
  method: 'fore.endless',
  run: (job) => pause(2 ** 30, undefined, { signal: job.signal }),
})

export const patient = defineJob({
  method: 'fore.patient',
  deadlines: { attemptMs: 200 },
  run: (job) => pause(2 ** 30, undefined, { signal: job.signal }),
})

export const deaf = defineJob({ method: 'fore.deaf', run: () => new Promise<never>(() => {}) })

export const family = defineJob({
  method: 'fore.family',
  async run(job, { n }: { readonly n: number }) {
    const child = await job.startJob(double, { n })
    await child.waitForCompletion()
    const { parentJobId } = await child.refresh()
    return { result: await child.value(), isChild: parentJobId === job.id }
  },
})

export const nothing = defineJob({ method: 'fore.nothing', run() {} })

/** Tells where it runs, in a line of the file `note`, until there is a file `gate`. */
export const hold = defineJob({
  method: 'fore.hold',
  retry: { maxAttempts: 1 },
  async run(job, { note, gate }: { readonly note: string; readonly gate: string }) {
    await appendFile(note, `${process.pid} ${job.attempt}\n`)
    while (!existsSync(gate)) await pause(20)
    await appendFile(note, `${process.pid} ${job.attempt} ${job.signal.aborted}\n`)
    return { pid: process.pid }
  },
})
