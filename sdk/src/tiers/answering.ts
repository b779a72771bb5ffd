/**
 * For which exposed method the running code answers, and which calls wait for that answer. A function may be one whose values are to be had of
 * executors, and exposed at once: where it is asked as the exposed one it has to compute, or it would ask itself without end. So would
 * functions that ask one another in a circle, each time by another job: which calls wait goes with what is asked. What is joined under way is
 * looked after in circles.ts.
 */
import type { JobContext } from '../jobs/context.ts'
import { ReusableCycleError, runAsWaiter } from '../values/computing.ts'
import { createValuesSession } from '../values/contexts.ts'
import { AsyncLocalStorage } from '../values/runtime.ts'
import { AnsweringJob } from './circles.ts'

/** Of calls that wait for one another, each in a job of its own. */
export const WAITING_CALLS_MAX = 32
/** Longer parameters are cut, and calls with such ones not taken for equal. */
const PARAMS_CHARACTERS_MAX = 400
/** Of the longest call as it is told. */
export const CALL_CHARACTERS_MAX = 1_000

interface Answering {
  readonly method: string
  /** The calls that wait, the outermost first; this one is the last. */
  readonly calls: readonly string[]
}

const answering = new AsyncLocalStorage<Answering>()

/** Apart from what other code of the process computes: that may be waiting for the very answer. */
export const answersSession = createValuesSession({ name: 'answers' })

interface Asked {
  readonly method: string
  readonly params: string
  /** Calls that wait for this one. */
  readonly before: readonly string[]
}

/** What the job says while it waits, others hear of it (circles.ts). */
export async function answerAs<T>(
  job: Pick<JobContext, 'id' | 'progress'>,
  { method, params, before }: Asked,
  answer: () => Promise<T>,
): Promise<T> {
  const call = callText(method, params)
  using waiter = new AnsweringJob(job.id, call, (text, said) => job.progress(0, text, { ...said }))
  return await runAsWaiter(waiter, () =>
    answering.run({ method, calls: [...before, call] }, answer),
  )
}

export function isAnsweringAs(method: string): boolean {
  return answering.getStore()?.method === method
}

/** Whether the call waits for what the running code answers. */
export function cycleOf(method: string, params: string): ReusableCycleError | undefined {
  const calls = answering.getStore()?.calls
  if (calls === undefined || params.length > PARAMS_CHARACTERS_MAX) return undefined
  const call = callText(method, params)
  const at = calls.indexOf(call)
  return at < 0 ? undefined : new ReusableCycleError([...calls.slice(at), call])
}

/**
 * The calls that wait for whatever the running code asks now.
 *
 * @throws ReusableCycleError where that is among them; RangeError where there are as many as may be.
 */
export function callsBefore(method: string, params: string): readonly string[] {
  const cycle = cycleOf(method, params)
  if (cycle !== undefined) throw cycle
  const calls = answering.getStore()?.calls ?? []
  const call = callText(method, params)
  if (calls.length < WAITING_CALLS_MAX) return calls
  throw new RangeError(
    `${call} is not asked: ${WAITING_CALLS_MAX} calls wait for one another already, ${calls.slice(-3).join(' → ')} the last of them`,
  )
}

export function callText(method: string, params: string): string {
  const shown = params.slice(0, PARAMS_CHARACTERS_MAX)
  const text = shown.length < params.length ? `${shown.slice(1)}…` : params.slice(1, -1)
  return `${method}(${text})`
}
