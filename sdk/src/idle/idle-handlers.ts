/**
 * The table of idle handlers (обработчики ожидания): functions that run again and again while the client
 * has nothing else to do.
 *
 * One timer wakes the table when the next handler is due. If the client is idle then, due handlers run one after
 * another in the agenda's order; if it is not, nothing happens until whatever holds the table (a handler, a blocking
 * call, a block) ends and sets the timer anew. After a slice of time the rest waits for the next turn of
 * the event loop, so that a crowd of handlers does not freeze a page or a server. While an asynchronous handler runs,
 * the same timer watches it, so that one that never settles is told of.
 *
 * Invariants:
 * 1. A handler starts only from the timer or after another handler, never inside a caller of this table.
 * 2. No handler starts while one is running, a blocking call is in progress, or a block is held.
 * 3. One timer at most; pending whenever a handler is to be woken for and nothing holds the table, or a run may have
 *    to be told of as slow.
 * 4. A handler that fails, or an `onError` that does, changes nothing for the others.
 */

import { checkOptions } from '../arguments/check-options.ts'
import { oneOf, text } from '../arguments/rules.ts'
import { type Activity, type ActivitySource, createActivity } from './activity.ts'
import { Agenda } from './agenda.ts'
import { type AttachOptions, createAttachment, type IdleHandler } from './attachment.ts'
import { type IdleClock, systemClock } from './clock.ts'
import { InvalidIntervalError, OwnerDisposedError, OwnerNotOpenError } from './errors.ts'
import {
  type IdleFailure,
  reportFailure,
  reportSlowRun,
  type SlowIdleRun,
  writeFailure,
  writeSlowRun,
} from './failure-report.ts'
import { ATTACH_RULES, type IdleHandlersOptions, OWNER_RULES, TABLE_RULES } from './options.ts'
import { type IdleOwner, type IdleOwnerOptions, type OwnerLevel, ownerLevels } from './owner.ts'
import { isThenable, type Run } from './run.ts'
import { type OwnerTable, TableOwner } from './table-owner.ts'
import { WakeUp } from './wake-up.ts'

/** Holds all handlers of a table back until it is released. */
export interface IdleBlock extends Disposable {
  /** Releasing twice is nothing. */
  unblock(): void
}

/** Time after which due handlers leave the event loop a turn: half a frame of a 60 Hz display. */
const sliceMsMax = 8

const slowMsDefault = 10_000

/** Creates a table of idle handlers. Most programs have one. */
export function idleHandlers<S extends ActivitySource = Activity>(
  options: IdleHandlersOptions & { readonly activity?: S } = {},
): IdleHandlers<S> {
  checkOptions('idleHandlers', options, TABLE_RULES)
  // Without a source in the options S is Activity, which is what createActivity makes.
  const activity = options.activity ?? (createActivity() as ActivitySource as S)
  return new IdleHandlers(activity, options)
}

/** A table of idle handlers, created by `idleHandlers()` (rows I1 to I4). */
export class IdleHandlers<S extends ActivitySource = Activity> implements OwnerTable, Disposable {
  /** Where blocking calls announce themselves: the one from the options, or the table's own. */
  readonly activity: S
  readonly #clock: IdleClock
  readonly #onError: (failure: IdleFailure) => unknown
  readonly #onSlow: (run: SlowIdleRun) => unknown
  readonly #slowMs: number
  readonly #agenda = new Agenda()
  readonly #blocks = new Set<IdleBlock>()
  readonly #wakeUp: WakeUp
  readonly #keepAlive: boolean
  readonly #idleSubscription: Disposable
  #running: Run | undefined
  #sliceEndsAtMs = 0
  #order = 0
  #disposed = false

  /** @internal use `idleHandlers()` */
  constructor(activity: S, options: IdleHandlersOptions) {
    this.activity = activity
    this.#clock = options.clock ?? systemClock
    this.#keepAlive = options.keepAlive ?? false
    this.#onError = options.onError ?? writeFailure
    this.#onSlow = options.onSlow ?? writeSlowRun
    this.#slowMs = options.slowMs ?? slowMsDefault
    this.#wakeUp = new WakeUp(this.#clock, this.#keepAlive, () => this.#wake())
    this.#idleSubscription = activity.onIdle(() => this.#setTimer())
  }

  /** How many handlers are attached. One that runs once no longer counts while it runs. */
  get size(): number {
    return this.#agenda.size
  }

  /** True once the table is disposed. */
  get disposed(): boolean {
    return this.#disposed
  }

  /**
   * Creates an owner for handlers; `name` appears in errors and need not be unique. Any number of each
   * level is fine. On a disposed table the owner is born disposed.
   */
  owner(level: OwnerLevel, name: string = level, options: IdleOwnerOptions = {}): IdleOwner {
    isLevel(level, 'level')
    text(name, 'name')
    return new TableOwner(this, level, name, checkOptions('owner', options, OWNER_RULES))
  }

  /**
   * Runs `handler` every `intervalMs` milliseconds from now on, or once after that time, whenever the client
   * is idle (rows I1, I2). The same handler attached to the same owner again replaces the earlier attachment:
   * the last wins, its rhythm begins anew and it comes last among its equals. A handler may do so in its own run.
   * Returns true; false when `strict: false` let an owner pass that takes no handlers.
   *
   * @throws InvalidIntervalError when `intervalMs` is not a finite number of at least 100
   * @throws OwnerDisposedError when the owner or the table is disposed (row I4)
   * @throws OwnerNotOpenError when the owner was created with `open: false` and is not open yet
   * @throws TypeError when the handler is not a function, an option is none, or the owner is from another table
   */
  attach(owner: IdleOwner, handler: IdleHandler, options: AttachOptions): boolean {
    const ownOwner = this.#own(owner)
    if (typeof handler !== 'function') throw new TypeError('handler must be a function')
    const { intervalMs, once, strict = true } = checkOptions('attach', options, ATTACH_RULES)
    if (intervalMs === undefined) throw new InvalidIntervalError(intervalMs)
    if (!ownOwner.isOpen) {
      if (!strict) return false
      const Refusal = ownOwner.disposed ? OwnerDisposedError : OwnerNotOpenError
      throw new Refusal(owner.level, owner.name)
    }
    const predecessor = ownOwner.attachments.get(handler) ?? this.#running?.attachment
    this.detach(owner, handler)
    this.#order += 1
    const now = this.#clock.now()
    const attachment = createAttachment(ownOwner, handler, { intervalMs, once }, now, this.#order)
    ownOwner.attachments.set(handler, attachment)
    this.#agenda.add(attachment, predecessor)
    this.#setTimer()
    return true
  }

  /**
   * Stops the handler on this owner. A run in progress goes on to its end. Tells whether it was attached:
   * detaching what is not attached is nothing (row I1).
   */
  detach(owner: IdleOwner, handler: IdleHandler): boolean {
    const { attachments } = this.#own(owner)
    const attachment = attachments.get(handler)
    if (attachment === undefined) return false
    attachments.delete(handler)
    this.#agenda.remove(attachment)
    this.#setTimer()
    return true
  }

  /** Whether the handler is attached to this owner and will run (row I1). */
  isAttached(owner: IdleOwner, handler: IdleHandler): boolean {
    return this.#own(owner).attachments.has(handler)
  }

  /**
   * Holds all handlers back, as when the whole interface is blocked (row I4). Blocks count: handlers resume when
   * the last is released. Those that became due meanwhile then run once, and all keep their rhythm. A run in
   * progress is not interrupted.
   */
  blockAll(): IdleBlock {
    const unblock = () => {
      if (this.#blocks.delete(block)) this.#setTimer()
    }
    const block: IdleBlock = { unblock, [Symbol.dispose]: unblock }
    this.#blocks.add(block)
    return block
  }

  /** Detaches everything, for good: each owner of this table counts as disposed (row I4). */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    for (const { owner } of this.#agenda.drain()) owner.attachments.clear()
    this.#idleSubscription[Symbol.dispose]()
    this.#setTimer()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @internal called by an owner that is disposed */
  release(owner: TableOwner): void {
    for (const attachment of owner.attachments.values()) this.#agenda.remove(attachment)
    owner.attachments.clear()
    this.#setTimer()
  }

  get #held(): boolean {
    return this.#running !== undefined || this.#blocks.size > 0 || this.activity.busy
  }

  /** A run in progress counts even when nothing is attached: it may be about to attach. */
  get #inUse(): boolean {
    return this.#agenda.size > 0 || (this.#running !== undefined && !this.#disposed)
  }

  #own(owner: IdleOwner): TableOwner {
    if (owner instanceof TableOwner && owner.table === this) return owner
    throw new TypeError('owner must come from the owner() of this table')
  }

  /** Upholds invariant 3; called after each change to what is due or what holds the table. */
  #setTimer(): void {
    const nextAtMs = this.#held ? this.#running?.slowAtMs : this.#agenda.nextDueAtMs
    if (nextAtMs !== undefined && !this.#disposed) this.#wakeUp.noLaterThan(nextAtMs)
    // What holds the table will set the timer; until then a process told to live needs one all the same.
    else if (this.#keepAlive && this.#inUse) this.#wakeUp.noLaterThan(Number.POSITIVE_INFINITY)
    else this.#wakeUp.cancel()
  }

  #wake(): void {
    const now = this.#clock.now()
    this.#sliceEndsAtMs = now + sliceMsMax
    if (this.#running !== undefined) this.#reportIfSlow(this.#running, now)
    this.#runDue()
  }

  #reportIfSlow(run: Run, nowMs: number): void {
    if (run.slowAtMs === undefined || nowMs < run.slowAtMs) return
    run.slowAtMs = undefined
    const { owner, handler } = run.attachment
    reportSlowRun({ owner, handler, runningMs: nowMs - run.startedAtMs }, this.#onSlow)
  }

  #runDue(): void {
    while (!this.#held) {
      const now = this.#clock.now()
      if (now >= this.#sliceEndsAtMs) break
      const attachment = this.#agenda.takeDue(now)
      if (attachment === undefined) break
      this.#run({ attachment, startedAtMs: now, slowAtMs: undefined })
    }
    this.#setTimer()
  }

  /** Runs one handler. If it is asynchronous, the table stays held until its promise settles. */
  #run(run: Run): void {
    const { owner, handler, once } = run.attachment
    this.#running = run
    if (once) owner.attachments.delete(handler)
    try {
      const result = handler()
      if (isThenable(result)) {
        run.slowAtMs = run.startedAtMs + this.#slowMs
        // A promise of our own settles once, however often a patched `then` calls back (invariant 2).
        new Promise((resolve) => resolve(result)).then(
          () => this.#resume(run),
          (error) => this.#resume(run, { error, owner, handler }),
        )
        return
      }
    } catch (error) {
      reportFailure({ error, owner, handler }, this.#onError)
    }
    this.#end(run)
  }

  /** The report belongs to the run: what `onError` attaches waits for its turn like what the handler attaches. */
  #resume(run: Run, failure?: IdleFailure): void {
    if (failure !== undefined) reportFailure(failure, this.#onError)
    this.#end(run)
    this.#runDue()
  }

  #end({ attachment }: Run): void {
    this.#running = undefined
    this.#agenda.end(attachment, this.#clock.now())
  }
}

const isLevel = oneOf(ownerLevels)
