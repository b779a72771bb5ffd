/**
 * Runs attempts on this thread, each in the same steps: find the method, read the parameters and see
 * whether results have a place to go, check the parameters, call the handler, place its result,
 * report. Whatever goes wrong in any of them becomes one `HandlerEnd`; nothing that a handler throws
 * gets past `#run`. Of an attempt that was withdrawn before its handler was called nothing is
 * reported: it is somebody else's by then.
 */

import { isByteStream, type JobDefinition } from '@offstage/sdk/jobs'
import type { AttemptKey, AttemptOrder, HandlerEnd } from '../domain/attempt.ts'
import { AttemptFault, faultFromThrown, isAbort } from '../domain/fault.ts'
import type { Claim } from '../lanes/claims.ts'
import { type OrderRow, orderFromRow } from '../lanes/order-row.ts'
import type { StopOrder, ThreadOrders, TokenAnswer } from '../lanes/thread-messages.ts'
import { AttemptRun } from './attempt-run.ts'
import type { BlockWatch } from './block-watch.ts'
import type { GlobalsWatch } from './globals-watch.ts'
import { AttemptContext, type AttemptMeans } from './job-context.ts'
import { notesOf } from './left-open.ts'
import { OwnError, OwnMap, OwnPromise } from './own-copies.ts'
import { checkParams, readParams } from './params.ts'
import { PlaceCheck } from './place-check.ts'
import { placeResult } from './result.ts'

export interface RunnerOptions extends AttemptMeans {
  readonly claims: Claims
  /** Told whose code runs. */
  readonly watch?: Pick<GlobalsWatch, 'ran'>
  readonly blocks?: Pick<BlockWatch, 'ran'>
  /** Runs the work within a span of the attempt; absent: nothing is traced. */
  readonly traced?: TracedAttempt
}

/** By what it is known that an attempt is this runner's: in shared memory, or by asking. */
export interface Claims {
  /** A message has been taken up. */
  take(): void
  /** Whether the handler is to be called; not where the attempt was withdrawn. */
  begin(claim: Claim): boolean | Promise<boolean>
  /** Calls a handler. */
  calling<T>(claim: Claim, call: () => T): T
}

export type TracedAttempt = <T>(order: AttemptOrder, work: () => Promise<T>) => Promise<T>

export class Runner {
  readonly #options: RunnerOptions
  readonly #running = new OwnMap<AttemptKey, AttemptContext>()
  readonly #places = new PlaceCheck()

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  /** The methods of attempts that have not ended, in no order, each maybe oftener. */
  get methods(): string[] {
    return this.#running.values().map(({ method }) => method)
  }

  obey(orders: ThreadOrders): void {
    this.#options.claims.take()
    const { attempts, tokens, stops } = orders
    // By index: how lists are walked is for handlers to change.
    for (let at = 0; at < attempts.length; at += 1) {
      const row = attempts[at] as OrderRow
      void this.#run(orderFromRow(row), row[0])
    }
    for (let at = 0; at < tokens.length; at += 1) {
      this.#options.tokens?.answer(tokens[at] as TokenAnswer)
    }
    for (let at = 0; at < stops.length; at += 1) {
      const { key, ...reason } = stops[at] as StopOrder
      this.#running.get(key)?.stop(errorFrom(reason))
    }
  }

  async #run(order: AttemptOrder, claim: Claim): Promise<void> {
    const { reporter, traced, claims } = this.#options
    const context = new AttemptContext(order, this.#options)
    this.#running.set(order.key, context)
    let end: HandlerEnd | undefined
    try {
      end = await (traced === undefined
        ? this.#steps(order, claim, context)
        : traced(order, () => this.#steps(order, claim, context)))
    } catch (thrown) {
      // What was thrown is the handler's, getters and all.
      end = claims.calling(claim, () => endFromThrown(thrown, context))
    }
    this.#running.delete(order.key)
    try {
      context.settle()
    } catch {
      // What its handler has changed keeps no attempt from its end.
    }
    if (end !== undefined) reporter.end(order.key, end)
  }

  // Values that are there already are not awaited: each await costs a turn of the microtask queue.
  async #steps(
    order: AttemptOrder,
    claim: Claim,
    context: AttemptContext,
  ): Promise<HandlerEnd | undefined> {
    const { claims, reporter } = this.#options
    const definition = this.#find(order)
    const read = readParams(definition, order, context)
    const places = this.#places.check(order, context)
    const isReady = places === undefined && !(read instanceof OwnPromise)
    const given = isReady ? read : (await Promise.all([read, places]))[0]
    const checked = checkParams(definition, given)
    const params = checked instanceof OwnPromise ? await checked : checked
    const begun = claims.begin(claim)
    if (!(begun instanceof OwnPromise ? await begun : begun)) return undefined
    this.#options.watch?.ran(order.method)
    this.#options.blocks?.ran(order.method)
    // What is open at its end is closed, and what was remembered for its length dropped (rows E1, C1).
    const run = new AttemptRun(order, context)
    // Values are kept apart by both (row C4).
    const identity = { user: order.owner, privileged: definition.privileged === true }
    const inRun = <T>(work: () => T) => run.call(work, identity)
    try {
      const returned = claims.calling(claim, () => inRun(() => definition.run(context, params)))
      const value = returned instanceof OwnPromise ? await returned : returned
      const place = () => placeResult(order, context, definition, value)
      // A stream is made by the handler's code as it is read.
      // As JSON is made of a value, code of the handler may run.
      const placed = claims.calling(claim, () => (isByteStream(value) ? inRun(place) : place()))
      return placed instanceof OwnPromise ? await context.aliveDuring(placed) : placed
    } finally {
      const ended = run.end((report) => reporter.leftOpen(order.key, notesOf(report)))
      if (ended !== undefined) await context.aliveDuring(ended)
    }
  }

  #find({ method }: AttemptOrder): JobDefinition {
    const definition = this.#options.jobs.get(method)
    if (definition !== undefined) return definition
    throw new AttemptFault('METHOD_UNKNOWN', `This executor has no method ${method}.`, {
      retryable: false,
    })
  }
}

function errorFrom({ name, message, code }: Omit<StopOrder, 'key'>): Error {
  const reason = new OwnError(message)
  reason.name = name
  return Object.assign(reason, { code })
}

function endFromThrown(thrown: unknown, context: AttemptContext): HandlerEnd {
  const { stopReason } = context
  if (stopReason !== undefined && isAbort(thrown, stopReason)) return { kind: 'stopped' }
  return { kind: 'failed', fault: context.reports.fault(faultFromThrown(thrown)) }
}
