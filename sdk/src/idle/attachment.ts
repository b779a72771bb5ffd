import { type IdleOwner, ownerLevels } from './owner.ts'

/**
 * What runs when its time has come and the client is idle. A returned promise is awaited before any other
 * handler runs (row I2), so one that never settles holds the whole table. In Node it runs in the AsyncLocalStorage
 * context of whatever set the table's timer, such as the end of a call, and so may all later runs; one that
 * needs its own is attached as `AsyncLocalStorage.bind(handler)`.
 */
export type IdleHandler = () => unknown

/** When an attached handler runs. */
export interface AttachOptions {
  /** Time between two runs in milliseconds; fractions are fine, less than 100 is refused (row I1). */
  readonly intervalMs: number
  /** Run once, one interval from now, and be detached before that run begins. Default: false. */
  readonly once?: boolean
  /**
   * False: attaching to an owner that is disposed or not open yet does nothing and returns false, as 1C:Enterprise
   * has it; handy in code that may run late, while a form closes. Default: true, it is an error.
   */
  readonly strict?: boolean
}

/** Attachments that were found due at the same moment. */
export interface Crowd {
  /** Grows with each crowd. */
  readonly number: number
  /** How many of them have neither run nor been detached. */
  waiting: number
}

/** What a run leaves to its attachment and to those attached in it; each run makes a new one. */
export interface Place {
  /** The number of the last crowd that goes before; 0 for none. */
  behind: number
}

/** An owner, with what is attached to it. */
export interface AttachmentOwner extends IdleOwner {
  readonly attachments: Map<IdleHandler, Attachment>
}

/** One handler on one owner, with its rhythm and its place in the agenda. */
export interface Attachment {
  readonly owner: AttachmentOwner
  readonly handler: IdleHandler
  readonly once: boolean
  readonly intervalMs: number
  /** When it was attached; every due time is this plus a whole number of intervals. */
  readonly attachedAtMs: number
  /** 0 for application, 1 for module, 2 for form. */
  readonly rank: number
  /** Grows with each attachment, so it tells which of two equals came first. */
  readonly order: number
  dueAtMs: number
  /** Where its last run, or the run it was attached in, has put it. */
  place: Place
  /** Those it was found due with, while it waits for its run. */
  crowd: Crowd | undefined
  /** Where it is in the heap that holds it. */
  heapIndex: number
}

/** A new attachment, due one interval after `nowMs`. */
export function createAttachment(
  owner: AttachmentOwner,
  handler: IdleHandler,
  options: AttachOptions,
  nowMs: number,
  order: number,
): Attachment {
  return {
    owner,
    handler,
    once: options.once ?? false,
    intervalMs: options.intervalMs,
    attachedAtMs: nowMs,
    rank: ownerLevels.indexOf(owner.level),
    order,
    dueAtMs: nowMs + options.intervalMs,
    place: { behind: 0 },
    crowd: undefined,
    heapIndex: -1,
  }
}

/**
 * The first beat of the rhythm after `nowMs`. Beats are counted from the attachment and not from the last
 * run: a late run moves none of those to come, and any number of missed beats is one run (row I2).
 */
export function nextBeatMs(attachment: Attachment, nowMs: number): number {
  const { attachedAtMs, intervalMs } = attachment
  const beats = Math.floor((nowMs - attachedAtMs) / intervalMs) + 1
  const beatMs = attachedAtMs + beats * intervalMs
  // Rounding can land the product on `nowMs` itself when intervals are fractions.
  return beatMs > nowMs ? beatMs : attachedAtMs + (beats + 1) * intervalMs
}
