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
  /** Jobs that were begun more than once. */
  readonly again: number
}

export type Counts = Pick<Figures, 'rows' | 'succeeded' | 'again'>

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

/**
 * Does something while callers start jobs without a pause and wait for each; afterwards they have to get on.
 * @throws Error where a call failed, or a job is lost, doubled or unfinished; or was begun anew, unless that `mayBeginAnew`
 */
export async function underLoad(
  stage: Stage,
  work: () => Promise<unknown>,
  options: { readonly mayBeginAnew?: boolean } = {},
): Promise<string> {
  loads += 1
  await ask(stage, 'begin', { run: `load-${loads}-${process.pid}` })
  const ended = async () => (await ask<{ ended: number }>(stage, 'soFar')).ended
  try {
    await until(async () => (await ended()) >= BEFORE, 60, 'callers to get on')
    await work()
    const reached = await ended()
    await until(async () => (await ended()) >= reached + BEFORE, 120, 'callers to get on after it')
  } catch (error) {
    await ask(stage, 'end').catch(() => {})
    throw error
  }
  const figures = await ask<Figures>(stage, 'end')
  const text = textOf(figures)
  const { starts, failures, rows, succeeded, again } = figures
  if (failures.length > 0) throw new Error(`${text}: ${[...new Set(failures)].join('; ')}`)
  if (rows !== starts || succeeded !== rows) throw new Error(text)
  if (again > 0 && options.mayBeginAnew !== true) throw new Error(text)
  return text
}

function textOf(figures: Figures): string {
  const { starts, failures, rows, succeeded, again, p50Ms, p99Ms, longestMs } = figures
  const times = `start p50 ${p50Ms}, p99 ${p99Ms}, longest ${longestMs} ms`
  const lost = `${rows - succeeded} lost, ${rows - starts} doubled, ${again} begun anew`
  return `${starts} starts, ${failures.length} failed, ${lost}; ${times}`
}
