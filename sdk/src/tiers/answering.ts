/**
 * For which exposed method the running code answers. A function may be one whose values are to be had of executors, and exposed at once: where it
 * is asked as the exposed one it has to compute, or it would ask itself without end.
 */
import { createValuesSession } from '../values/contexts.ts'
import { AsyncLocalStorage } from '../values/runtime.ts'

const answering = new AsyncLocalStorage<string>()

/** Apart from what other code of the process computes: that may be waiting for the very answer. */
export const answersSession = createValuesSession({ name: 'answers' })

export function answerAs<T>(method: string, answer: () => T): T {
  return answering.run(method, answer)
}

export function isAnsweringAs(method: string): boolean {
  return answering.getStore() === method
}
