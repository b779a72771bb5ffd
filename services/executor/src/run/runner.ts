/**
 * Runs attempts on this thread, each in the same steps: find the method, read the parameters, check
 * them, call the handler, place its result, report. Whatever goes wrong in any of them becomes one
 * `HandlerEnd`; nothing that a handler throws gets past `#run`.
 */

import type { JobDefinition } from '@offstage/sdk/jobs'
import { runInCallScope } from '@offstage/sdk/values'
import type { AttemptKey, AttemptOrder, HandlerEnd } from '../domain/attempt.ts'
import { AttemptFault, faultFromThrown, isAbort } from '../domain/fault.ts'
import type { ThreadOrders } from '../lanes/thread-messages.ts'
import type { ClientSource } from './client-source.ts'
import { AttemptContext } from './job-context.ts'
import { checkParams, readParams } from './params.ts'
import type { Reporter } from './reporter.ts'
import { placeResult } from './result.ts'

export interface RunnerOptions {
  readonly jobs: ReadonlyMap<string, JobDefinition>
  readonly reporter: Reporter
  readonly clients: ClientSource
  /** Runs the work within a span of the attempt; absent: nothing is traced. */
  readonly traced?: TracedAttempt
}

export type TracedAttempt = <T>(order: AttemptOrder, work: () => Promise<T>) => Promise<T>

export class Runner {
  readonly #options: RunnerOptions
  readonly #running = new Map<AttemptKey, AttemptContext>()

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  obey(orders: ThreadOrders): void {
    for (const order of orders.attempts) void this.#run(order)
    for (const { key, name, message } of orders.stops) {
      const reason = new Error(message)
      reason.name = name
      this.#running.get(key)?.stop(reason)
    }
  }

  async #run(order: AttemptOrder): Promise<void> {
    const { reporter, clients, traced } = this.#options
    const context = new AttemptContext(order, reporter, clients)
    this.#running.set(order.key, context)
    let end: HandlerEnd
    try {
      end = await (traced === undefined
        ? this.#steps(order, context)
        : traced(order, () => this.#steps(order, context)))
    } catch (thrown) {
      end = endFromThrown(thrown, context)
    }
    this.#running.delete(order.key)
    context.settle()
    reporter.end(order.key, end)
  }

  // Values that are there already are not awaited: each await costs a turn of the microtask queue.
  async #steps(order: AttemptOrder, context: AttemptContext): Promise<HandlerEnd> {
    const definition = this.#find(order)
    const read = readParams(order, context)
    const given = read instanceof Promise ? await read : read
    const checked = checkParams(definition, given)
    const params = checked instanceof Promise ? await checked : checked
    if (context.stopReason !== undefined) throw context.stopReason
    // What was remembered for the length of a call is dropped with it (rows E1, C1).
    const returned = runInCallScope(() => definition.run(context, params), { user: order.owner })
    const value = returned instanceof Promise ? await returned : returned
    const placed = placeResult(order, context, definition, value)
    return placed instanceof Promise ? await placed : placed
  }

  #find({ method }: AttemptOrder): JobDefinition {
    const definition = this.#options.jobs.get(method)
    if (definition !== undefined) return definition
    throw new AttemptFault('METHOD_UNKNOWN', `This executor has no method ${method}.`, {
      retryable: false,
    })
  }
}

function endFromThrown(thrown: unknown, context: AttemptContext): HandlerEnd {
  const { stopReason } = context
  if (stopReason !== undefined && isAbort(thrown, stopReason)) return { kind: 'stopped' }
  return { kind: 'failed', fault: faultFromThrown(thrown) }
}
