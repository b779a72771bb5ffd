/**
 * The table of idle handlers (обработчики ожидания): functions that run again and again while the client
 * has nothing else to do.
 *
 * One timer wakes the table when the next handler is due. If the client is idle then, due handlers run one after
 * another in the agenda's order; if it is not, nothing happens until whatever holds the table (a handler, a blocking
 * call, a block) ends and sets the timer anew. After a slice of time the rest waits for the next turn of
 * the event loop, so that a crowd of handlers does not freeze a page or a server.
 *
 * Invariants:
 * 1. A handler starts only from the timer or after another handler, never inside a caller of this table.
 * 2. No handler starts while one is running, a blocking call is in progress, or a block is held.
 * 3. One timer at most; pending whenever a handler is to be woken for and nothing holds the table.
 * 4. A handler that fails, or an `onError` that does, changes nothing for the others.
 */

import { type Activity, type ActivitySource, createActivity } from './activity.ts'
import { Agenda } from './agenda.ts'
import {
  type Attachment,
  type AttachOptions,
  createAttachment,
  type IdleHandler,
} from './attachment.ts'
import { type IdleClock, systemClock } from './clock.ts'
import { InvalidIntervalError, intervalMsMin, OwnerDisposedError } from './errors.ts'
import { type IdleFailure, reportFailure, writeFailure } from './failure-report.ts'
import {
  type IdleOwner,
  type OwnerLevel,
  type OwnerTable,
  ownerLevels,
  TableOwner,
} from './owner.ts'
import { WakeUp } from './wake-up.ts'

/** How a table of idle handlers is set up. */
export interface IdleHandlersOptions {
  /** Default: the machine's monotonic clock. */
  readonly clock?: IdleClock
  /** Who knows about blocking calls. Default: an activity of the table's own, see `IdleHandlers.activity`. */
  readonly activity?: ActivitySource
  /** Whether handlers, attached or running, keep a Node process alive. Default: false. Browsers do not care. */
  readonly keepAlive?: boolean
  /**
   * Told about each run that threw or rejected. Default: writes to the console. Nobody waits for a promise it
   * returns; if it fails itself, both failures are written to the console.
   */
  readonly onError?: (failure: IdleFailure) => unknown
}

/** Holds all handlers of a table back until it is released. */
export interface IdleBlock extends Disposable {
  /** Releasing twice is nothing. */
  unblock(): void
}

/** Time after which due handlers leave the event loop a turn: half a frame of a 60 Hz display. */
const sliceMsMax = 8

/** Creates a table of idle handlers. Most programs have one. */
export function idleHandlers<S extends ActivitySource = Activity>(
  options: IdleHandlersOptions & { readonly activity?: S } = {},
): IdleHandlers<S> {
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
  readonly #agenda = new Agenda()
  readonly #blocks = new Set<IdleBlock>()
  readonly #wakeUp: WakeUp
  readonly #keepAlive: boolean
  readonly #idleSubscription: Disposable
  #running: Attachment | undefined
  #sliceEndsAtMs = 0
  #order = 0
  #disposed = false

  /** @internal use `idleHandlers()` */
  constructor(activity: S, options: IdleHandlersOptions) {
    this.activity = activity
    this.#clock = options.clock ?? systemClock
    this.#keepAlive = options.keepAlive ?? false
    this.#onError = options.onError ?? writeFailure
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
  owner(level: OwnerLevel, name: string = level): IdleOwner {
    if (!ownerLevels.includes(level)) {
      throw new RangeError(`level must be one of ${ownerLevels.join(', ')}; got ${String(level)}`)
    }
    return new TableOwner(this, level, name)
  }

  /**
   * Runs `handler` every `intervalMs` milliseconds from now on, or once after that time, whenever the client
   * is idle (rows I1, I2). The same handler attached to the same owner again replaces the earlier attachment:
   * the last wins, its rhythm begins anew and it comes last among its equals. A handler may do so in its own run.
   *
   * @throws InvalidIntervalError when `intervalMs` is not a finite number of at least 100
   * @throws OwnerDisposedError when the owner or the table is disposed (row I4)
   * @throws TypeError when the handler is not a function, or the owner is from another table
   */
  attach(owner: IdleOwner, handler: IdleHandler, options: AttachOptions): void {
    const ownOwner = this.#own(owner)
    if (typeof handler !== 'function') throw new TypeError('handler must be a function')
    // Read once, before any check: getters can answer differently each time, and do anything.
    const { intervalMs, once } = options
    if (!Number.isFinite(intervalMs) || intervalMs < intervalMsMin) {
      throw new InvalidIntervalError(intervalMs)
    }
    if (ownOwner.disposed) throw new OwnerDisposedError(owner.level, owner.name)
    const predecessor = ownOwner.attachments.get(handler) ?? this.#running
    this.detach(owner, handler)
    this.#order += 1
    const now = this.#clock.now()
    const attachment = createAttachment(ownOwner, handler, { intervalMs, once }, now, this.#order)
    ownOwner.attachments.set(handler, attachment)
    this.#agenda.add(attachment, predecessor)
    this.#setTimer()
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
    const nextDueAtMs = this.#agenda.nextDueAtMs
    if (nextDueAtMs !== undefined && !this.#held) this.#wakeUp.noLaterThan(nextDueAtMs)
    // What holds the table will set the timer; until then a process told to live needs one all the same.
    else if (this.#keepAlive && this.#inUse) this.#wakeUp.noLaterThan(Number.POSITIVE_INFINITY)
    else this.#wakeUp.cancel()
  }

  #wake(): void {
    this.#sliceEndsAtMs = this.#clock.now() + sliceMsMax
    this.#runDue()
  }

  #runDue(): void {
    while (!this.#held) {
      const now = this.#clock.now()
      if (now >= this.#sliceEndsAtMs) break
      const attachment = this.#agenda.takeDue(now)
      if (attachment === undefined) break
      this.#run(attachment)
    }
    this.#setTimer()
  }

  /** Runs one handler. If it is asynchronous, the table stays held until its promise settles. */
  #run(attachment: Attachment): void {
    const { owner, handler } = attachment
    this.#running = attachment
    if (attachment.once) owner.attachments.delete(handler)
    try {
      const result = handler()
      if (isThenable(result)) {
        // A promise of our own settles once, however often a patched `then` calls back (invariant 2).
        new Promise((resolve) => resolve(result)).then(
          () => this.#resume(),
          (error) => this.#resume({ error, owner, handler }),
        )
        return
      }
    } catch (error) {
      reportFailure({ error, owner, handler }, this.#onError)
    }
    this.#running = undefined
  }

  /** The report belongs to the run: what `onError` attaches waits for its turn like what the handler attaches. */
  #resume(failure?: IdleFailure): void {
    if (failure !== undefined) reportFailure(failure, this.#onError)
    this.#running = undefined
    this.#runDue()
  }
}

/** Functions too can have a `then`: query builders do. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
