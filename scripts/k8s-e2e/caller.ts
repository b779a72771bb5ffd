/** The pod `caller`: load from inside the cluster, by the SDK and a projected token. */
import { callerPod } from './manifests.ts'
import { type Stage, until } from './stage.ts'

const CALLER = 'caller'
const BEFORE = 30

export interface Figures {
  readonly starts: number
  readonly ended: number
  readonly failures: readonly string[]
  readonly p50Ms: number
  readonly p99Ms: number
  readonly longestMs: number
  readonly rows: number
  readonly succeeded: number
  /** Jobs that were given to executors more than once: one that ends hands back what has not begun. */
  readonly assignedAgain: number
  /** Of these, whose handlers were called more than once. */
  readonly calledAgain: number
}

export type Counts = Pick<Figures, 'rows' | 'succeeded'>

export async function startCaller(stage: Stage): Promise<void> {
  const command = ['node', '/e2e/caller.mjs']
  const image = stage.images.next
  const isClient = true
  await stage.apply(callerPod({ name: CALLER, image, command, account: 'client', isClient }))
  await stage.podReady(CALLER)
}

/** Has the caller do something, as pods/caller.mjs lists it. */
export async function ask<T>(stage: Stage, act: string, given: object = {}): Promise<T> {
  const run = ['exec', CALLER, '--', 'node', '/e2e/ask.mjs', act, JSON.stringify(given)]
  return JSON.parse(await stage.kubectl(...run))
}

let loads = 0

export interface Allowances {
  /** Handlers may be called more than once: what they ran on has died. */
  readonly mayCallAgain?: boolean
  /** Calls may fail with this reason, as there was nobody to answer. */
  readonly mayFailWith?: string
}

/**
 * Does something while callers start jobs without a pause and wait for each; afterwards they have to get on.
 * @throws Error where a call failed, or a job is lost, doubled, unfinished or was called again, unless that is allowed
 */
export async function underLoad(
  stage: Stage,
  work: () => Promise<unknown>,
  { mayCallAgain = false, mayFailWith }: Allowances = {},
): Promise<string> {
  const { starts, failures, rows, succeeded, calledAgain, ...rest } = await loadWhile(stage, work)
  const text = textOf({ starts, failures, rows, succeeded, calledAgain, ...rest })
  const failed = failures.filter((fault) => !fault.startsWith(`${mayFailWith} `))
  if (failed.length > 0) throw new Error(`${text}: ${[...new Set(failed)].join('; ')}`)
  if (rows !== starts || succeeded !== rows) throw new Error(text)
  if (calledAgain > 0 && !mayCallAgain) throw new Error(text)
  return failures.length === 0 ? text : `${text}; those that failed: ${mayFailWith}`
}

async function loadWhile(stage: Stage, work: () => Promise<unknown>): Promise<Figures> {
  loads += 1
  await ask(stage, 'begin', { run: `load-${loads}-${process.pid}` })
  const ended = async () => (await ask<{ ended: number }>(stage, 'soFar')).ended
  try {
    await until(async () => (await ended()) >= BEFORE, 'callers to get on')
    await work()
    const reached = await ended()
    await until(async () => (await ended()) >= reached + BEFORE, 'callers to get on after it')
  } catch (error) {
    await ask(stage, 'end').catch(() => {})
    throw error
  }
  return await ask<Figures>(stage, 'end')
}

function textOf(figures: Figures): string {
  const { starts, failures, rows, succeeded, assignedAgain, calledAgain } = figures
  const { p50Ms, p99Ms, longestMs } = figures
  const times = `start p50 ${p50Ms}, p99 ${p99Ms}, longest ${longestMs} ms`
  const lost = `${rows - succeeded} lost, ${rows - starts} doubled`
  const again = `${assignedAgain} assigned and ${calledAgain} called again`
  return `${starts} starts, ${failures.length} failed, ${lost}, ${again}; ${times}`
}
