// Not the global one: a handler may have put a clock of its own in its place.
import { setImmediate } from 'node:timers'
import type { MessagePort } from 'node:worker_threads'
import type {
  AttemptKey,
  HandlerEnd,
  HeartbeatData,
  LeftOpenNote,
  MessageNote,
  ProgressNote,
} from '../domain/attempt.ts'
import { AttemptFault, faultFromThrown } from '../domain/fault.ts'
import type { ThreadMessage, ThreadReports, TokenAsk } from '../lanes/thread-messages.ts'
import { now } from './own-copies.ts'

/** A handler that computes without a break still shows its progress this often. */
const BUSY_FLUSH_MS = 10

/**
 * Gathers what the attempts of this thread report and posts it to the main thread once per turn of
 * the event loop: hundreds of short attempts end with one message. Turns may be long, so progress
 * and messages do not wait for their end.
 */
export class Reporter {
  readonly #send: (message: ThreadMessage) => void
  readonly #onTold: () => void
  #reports: ThreadReports | undefined
  #flushedAt = Number.NEGATIVE_INFINITY

  /** @param onTold told after the end of attempts was */
  constructor(port: Pick<MessagePort, 'postMessage'>, onTold: () => void = () => {}) {
    this.#send = port.postMessage.bind(port)
    this.#onTold = onTold
  }

  /** What is not of one attempt, at once. */
  say(message: ThreadMessage): void {
    this.#send(message)
  }

  progress(key: AttemptKey, note: ProgressNote): void {
    const reports = this.#gather()
    reports.progress ??= []
    append(reports.progress, { key, note })
    this.#flushWhenBusy()
  }

  message(key: AttemptKey, note: MessageNote): void {
    const reports = this.#gather()
    reports.messages ??= []
    append(reports.messages, { key, note })
    this.#flushWhenBusy()
  }

  waiting(key: AttemptKey, waiting: boolean): void {
    const reports = this.#gather()
    reports.waiting ??= []
    append(reports.waiting, { key, waiting })
  }

  heartbeat(key: AttemptKey, data?: HeartbeatData): void {
    const reports = this.#gather()
    reports.heartbeats ??= []
    append(reports.heartbeats, data === undefined ? { key } : { key, data })
    this.#flushWhenBusy()
  }

  askToken(ask: TokenAsk): void {
    const reports = this.#gather()
    reports.tokens ??= []
    append(reports.tokens, ask)
  }

  leftOpen(key: AttemptKey, notes: readonly LeftOpenNote[]): void {
    const reports = this.#gather()
    reports.leftOpen ??= []
    append(reports.leftOpen, { key, notes })
  }

  end(key: AttemptKey, end: HandlerEnd): void {
    const reports = this.#gather()
    if (end.kind === 'succeeded' && end.additional === undefined) {
      reports.successes ??= []
      append(reports.successes, [key, end.result])
      return
    }
    reports.ends ??= []
    append(reports.ends, { key, end })
  }

  flush(): void {
    const reports = this.#reports
    if (reports === undefined) return
    this.#reports = undefined
    try {
      this.#post(reports)
    } catch {
      this.#postEach(reports)
    }
    this.#told(reports)
  }

  #told({ ends, successes }: ThreadReports): void {
    if (ends !== undefined || successes !== undefined) this.#onTold()
  }

  /** One of the reports cannot be copied to another thread: each by itself, so that it harms no other. */
  #postEach(reports: ThreadReports): void {
    const drop = () => {
      // A report that cannot be sent does not fail a job.
    }
    for (const each of reports.progress ?? []) this.#try({ progress: [each] }, drop)
    for (const each of reports.messages ?? []) this.#try({ messages: [each] }, drop)
    for (const each of reports.waiting ?? []) this.#try({ waiting: [each] }, drop)
    for (const each of reports.heartbeats ?? []) this.#try({ heartbeats: [each] }, drop)
    for (const each of reports.tokens ?? []) this.#try({ tokens: [each] }, drop)
    for (const each of reports.leftOpen ?? []) this.#try({ leftOpen: [each] }, drop)
    const failed = (key: AttemptKey) => (cause: unknown) => {
      this.#post({ ends: [{ key, end: unsendable(cause) }] })
    }
    for (const each of reports.ends ?? []) this.#try({ ends: [each] }, failed(each.key))
    for (const each of reports.successes ?? []) this.#try({ successes: [each] }, failed(each[0]))
  }

  #try(reports: ThreadReports, otherwise: (cause: unknown) => void): void {
    try {
      this.#post(reports)
    } catch (cause) {
      otherwise(cause)
    }
  }

  #post(reports: ThreadReports): void {
    this.#send({ kind: 'reports', reports })
  }

  #flushWhenBusy(): void {
    const at = now()
    const reports = this.#reports
    if (reports === undefined || at - this.#flushedAt < BUSY_FLUSH_MS) return
    this.#flushedAt = at
    this.#reports = undefined
    try {
      this.#post(reports)
    } catch {
      // The end of the turn sees what cannot be sent. The handler may have used up the stack, and what is said of others must not be lost.
      this.#reports = reports
      return
    }
    this.#told(reports)
  }

  #gather(): ThreadReports {
    if (this.#reports === undefined) {
      this.#reports = {}
      setImmediate(() => this.flush())
    }
    return this.#reports
  }
}

/** What `push` does, whatever has become of that. */
function append<T>(list: T[], entry: T): void {
  list[list.length] = entry
}

function unsendable(cause: unknown): HandlerEnd {
  const message = 'The result cannot be sent from the thread of the handler.'
  const fault = new AttemptFault('RESULT_NOT_SERIALIZABLE', message, { retryable: false, cause })
  return { kind: 'failed', fault: faultFromThrown(fault) }
}
