/** The methods by which an executor is held against the protocol, for our own; docs/executor-protocol.md tells them. */
import { access, appendFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { defineJob, type JobContext, NonRetryableError, stopCodeOf } from '@offstage/sdk/jobs'
import { z } from 'zod'

const LOOK_MS = 10

interface Failing {
  readonly retryable: boolean
  readonly brief?: string
}

interface Holding {
  readonly note: string
  readonly gate: string
}

export const echo = defineJob({
  method: 'conformance.echo',
  run: (_job, params: unknown) => params,
})

export const greet = defineJob({
  method: 'conformance.greet',
  params: z.object({ name: z.string() }),
  run: (_job, { name }) => `Hello ${name}`,
})

export const nothing = defineJob({ method: 'conformance.nothing', run: () => {} })

export const report = defineJob({
  method: 'conformance.report',
  run(job, { steps }: { readonly steps: number }) {
    for (let step = 1; step <= steps; step++) {
      job.progress((100 * step) / steps)
      job.message(`step ${step}`)
    }
    return steps
  },
})

export const fail = defineJob({
  method: 'conformance.fail',
  run(_job, { retryable, brief = 'It was asked to fail.' }: Failing) {
    throw retryable ? new Error(brief) : new NonRetryableError(brief)
  },
})

export const large = defineJob({
  method: 'conformance.large',
  run: (_job, { bytes }: { readonly bytes: number }) => 'x'.repeat(bytes),
})

export const remember = defineJob({
  method: 'conformance.remember',
  run(job) {
    const { seen } = (job.lastHeartbeat ?? { seen: 0 }) as { readonly seen: number }
    job.heartbeat({ seen: seen + 1 })
    return seen
  },
})

export const hold = defineJob({
  method: 'conformance.hold',
  async run(job, { note, gate }: Holding) {
    await begin(job, note)
    while (!(await isThere(gate))) {
      if (job.signal.aborted) await appendFile(note, 'stopped\n')
      job.signal.throwIfAborted()
      await pause(LOOK_MS)
    }
    return 'released'
  },
})

export const why = defineJob({
  method: 'conformance.why',
  async run(job, { note, gate }: Holding) {
    await begin(job, note)
    const { signal } = job
    while (!(await isThere(gate))) {
      const code = signal.aborted && stopCodeOf(signal)
      const reason = code === 'JOB_CANCELED' ? ` ${signal.reason.message}` : ''
      if (code) await appendFile(note, `${code}${reason}\n`)
      signal.throwIfAborted()
      await pause(LOOK_MS)
    }
    return 'released'
  },
})

export const both = defineJob({
  method: 'conformance.both',
  run(job, { bytes }: { readonly bytes: number }) {
    job.setAdditionalResult('y'.repeat(bytes))
    return 'the main one'
  },
})

export const deaf = defineJob({
  method: 'conformance.deaf',
  async run(job, { note, gate }: Holding) {
    await begin(job, note)
    while (!(await isThere(gate))) await pause(LOOK_MS)
    return 'released'
  },
})

export const parent = defineJob({
  method: 'conformance.parent',
  run: (job) => job.run('conformance.echo', { of: 'the parent' }),
})

async function begin(job: JobContext, note: string): Promise<void> {
  await appendFile(note, 'begun\n')
  job.message('begun')
  job.progress(50)
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
