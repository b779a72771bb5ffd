import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { callback as aCallback, flag, someText, text } from '../arguments/rules.ts'
import { session, type ValuesIdentity } from '../values/contexts.ts'
import { type TellLeftOpen, warnOfLeftOpen } from './left-open.ts'
import { Run } from './run.ts'

export interface RunOptions extends ValuesIdentity {
  /** Takes what was left open to your log. Default: a warning of the process, with the code `LEFT_OPEN`. */
  readonly onLeftOpen?: TellLeftOpen
}

const RULES: Rules<RunOptions> = { session, user: text, privileged: flag, onLeftOpen: aCallback }

/**
 * Runs a request or section of a service as a run (row E1), the way the executor runs each attempt. At its end, however that comes,
 * transactions left open are rolled back, locks that belong to it freed, and reusable values of the lifetime `call` dropped; what had
 * been left open is told once, with where it was opened. What the callback returned, or threw, comes after that.
 *
 * A run within a run has an end of its own. What still goes on after the end belongs to no run.
 *
 * @param name what it is, for people who read the log: `GET /orders`
 */
export async function runInScope<T>(
  name: string,
  callback: (run: Run) => T,
  options: RunOptions = {},
): Promise<Awaited<T>> {
  someText(name, 'name')
  aCallback(callback, 'callback')
  const { onLeftOpen = warnOfLeftOpen, ...identity } = checkOptions('runInScope', options, RULES)
  const run = new Run(name)
  try {
    return await run.run(async () => callback(run), identity)
  } finally {
    await run.end(onLeftOpen)
  }
}
