import type { JobContext } from '@offstage/sdk/jobs'
import { Run, startingRun } from '@offstage/sdk/runs'
import type { AttemptOrder, Culprit } from '../domain/attempt.ts'

/** The run that an attempt is (row E1): what its code starts, timers and all, is known by it. */
export class AttemptRun extends Run {
  readonly order: AttemptOrder
  /** On the record of its job. */
  readonly message: JobContext['message']

  constructor(order: AttemptOrder, context: Pick<JobContext, 'message'>) {
    super(order.method)
    this.order = order
    this.message = (...said) => context.message(...said)
  }
}

/** Which attempt has started the code that runs now; undefined for code of no attempt. */
export function attemptRunning(): Culprit | undefined {
  const run = startingRun()?.root
  if (!(run instanceof AttemptRun)) return undefined
  const { key, method } = run.order
  return { key, method }
}
