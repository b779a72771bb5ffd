import { ask, type Counts } from '../caller.ts'
import { type Stage, until } from '../stage.ts'
import type { Scenario } from '../verdicts.ts'
import { inPython, startPython } from './callers.ts'

const JOBS = 30
const TARGET = 10
/** Longer than executors take to be ready. */
const JOB_MS = 20_000

interface Told {
  readonly active: boolean
  readonly jobs: number
  readonly target: number
}

/** From no executor to as many as the scaler's numbers say, and to none again: what KEDA asks, asked by a generated client. */
export const scaling: Scenario = {
  name: 'scaling',
  async run(stage) {
    await startPython(stage, 'python-admin', 'admin')
    await until(async () => !(await scaler(stage)).active, 'the scaler to see no work')
    await stage.scale('executor', 0)
    try {
      const run = `scaling-${process.pid}`
      await ask(stage, 'start', { count: JOBS, ms: JOB_MS, run })
      await until(async () => (await scaler(stage)).active, 'the scaler to see work')
      const queued = await scaler(stage)
      const wanted = Math.ceil(queued.jobs / queued.target)
      await stage.scale('executor', wanted)
      const busy = await scaler(stage)
      const unfinished = async () => {
        const { rows, succeeded } = await ask<Counts>(stage, 'count', { run })
        return rows - succeeded
      }
      const left = await unfinished()
      if (busy.jobs < left) throw new Error(`${busy.jobs} told, ${left} were unfinished after it`)
      await until(async () => (await unfinished()) === 0, 'all jobs to end')
      await until(async () => !(await scaler(stage)).active, 'the scaler to see the end')
      const told = `${queued.jobs} queued by a target of ${queued.target}: ${wanted} executors`
      return `${told}; ${busy.jobs} told while ${left} were left; all ${JOBS} succeeded, then idle`
    } finally {
      await stage.scale('executor', 2)
    }
  },
}

async function scaler(stage: Stage): Promise<Told> {
  return JSON.parse(await inPython(stage, 'python-admin', 'scaler.py', 'e2e.*', `${TARGET}`))
}
