/**
 * What is to be told to the scheduler: gathers the reports of a turn of the event loop into few
 * large messages, and keeps what has to be said again when the stream breaks.
 *
 * 1. A result is kept until it is acknowledged, fenced, or the session is lost.
 * 2. Within a message and from one message to the next, an attempt's messages and progress never
 *    come after its result.
 * 3. Of an attempt's messages the newest `MESSAGES_KEPT_MAX` are kept for a new stream, of its
 *    progress the newest; the scheduler knows repeated ones by their numbers.
 * 4. What cannot be encoded is dropped where it comes in: it would break this stream and every later one.
 * 5. However much an attempt has to say, the results of others get half of each message.
 * 6. Between streams only what is kept grows. What was handed back is not kept: an attempt that is
 *    missing from the next hello is requeued all the same.
 */

import {
  type AttachRequest,
  type AttemptResult,
  MessageReport,
  ProgressReport,
} from '@offstage/proto/executor'
import {
  type AttemptKey,
  type AttemptOutcome,
  type AttemptRef,
  attemptKey,
  type HeartbeatData,
  type KeyedAttempt,
  type MessageNote,
  type ProgressNote,
} from '../domain/attempt.ts'
import {
  attemptRefMessage,
  attemptResult,
  heartbeatReport,
  messageReport,
  progressReport,
} from '../grpc/mapping.ts'
import type { AttemptReports } from '../ports.ts'

const MESSAGES_KEPT_MAX = 1_000
/** When the scheduler does not read, the oldest messages are dropped. */
const MESSAGES_UNSENT_MAX = 10_000
/** Estimated size at which a message is sent and another begun; receivers take 16 MiB. */
const FRAME_BYTES_MAX = 1024 * 1024
/** What the fields around a payload take. */
const ENTRY_BYTES = 200

/** A report and what it takes as bytes of a message. */
interface Sized<T> {
  readonly report: T
  readonly bytes: number
}

interface Kept {
  readonly ref: KeyedAttempt
  result: AttemptResult | undefined
  progress: Sized<ProgressReport> | undefined
  /** The newest with data. */
  heartbeat: Sized<ProgressReport> | undefined
  messages: Sized<MessageReport>[]
  /** Undefined until it waits for the first time. */
  waiting: boolean | undefined
}

/** Told of a report that was dropped because it cannot be encoded. */
export type OnDropped = (ref: AttemptRef, error: unknown) => void

export class Outbox implements AttemptReports {
  readonly #kept = new Map<AttemptKey, Kept>()
  readonly #wake: () => void
  readonly #onDropped: OnDropped
  #results: AttemptResult[] = []
  #messages: Sized<MessageReport>[] = []
  #progress = new Map<AttemptKey, Sized<ProgressReport>>()
  #heartbeats = new Map<AttemptKey, Sized<ProgressReport>>()
  #waiting = new Map<AttemptKey, { readonly ref: KeyedAttempt; readonly waiting: boolean }>()
  #handedBack: AttemptRef[] = []
  #live = false
  #settled: PromiseWithResolvers<void> | undefined

  /** @param wake is called whenever there may be something to take; often, so it must be cheap */
  constructor(wake: () => void, onDropped: OnDropped = () => {}) {
    this.#wake = wake
    this.#onDropped = onDropped
  }

  /** The results not yet acknowledged. */
  get unacknowledged(): readonly AttemptRef[] {
    return [...this.#kept.values()]
      .filter((kept) => kept.result !== undefined)
      .map(({ ref }) => ref)
  }

  /** Resolves when every result is acknowledged. */
  settled(): Promise<void> {
    if (!this.#hasResults()) return Promise.resolve()
    this.#settled ??= Promise.withResolvers()
    return this.#settled.promise
  }

  /** Whether the attempt has ended here and its result is on its way. */
  hasResult(key: AttemptKey): boolean {
    return this.#kept.get(key)?.result !== undefined
  }

  ended(ref: KeyedAttempt, outcome: AttemptOutcome): void {
    const result = attemptResult(ref, outcome)
    this.#keep(ref).result = result
    if (this.#live) this.#results.push(result)
    this.#wake()
  }

  handedBack(ref: KeyedAttempt): void {
    this.forgotten(ref)
    if (this.#live) this.#handedBack.push(ref)
    this.#wake()
  }

  progressed(ref: KeyedAttempt, note: ProgressNote): void {
    const report = this.#sized(ref, ProgressReport, () => progressReport(ref, note))
    if (report === undefined) return
    this.#keep(ref).progress = report
    if (this.#live) this.#progress.set(ref.key, report)
    this.#wake()
  }

  lived(ref: KeyedAttempt, data: HeartbeatData | undefined): void {
    const { key } = ref
    const report = this.#sized(ref, ProgressReport, () => heartbeatReport(ref, data))
    if (report === undefined) return
    if (data !== undefined) this.#keep(ref).heartbeat = report
    // What was not sent yet is a sign of life as well.
    const isSaid = this.#heartbeats.has(key) || this.#progress.has(key)
    if (this.#live && (data !== undefined || !isSaid)) this.#heartbeats.set(key, report)
    this.#wake()
  }

  messaged(ref: KeyedAttempt, note: MessageNote): void {
    const report = this.#sized(ref, MessageReport, () => messageReport(ref, note))
    if (report === undefined) return
    const { messages } = this.#keep(ref)
    messages.push(report)
    if (messages.length > MESSAGES_KEPT_MAX) messages.shift()
    if (this.#live) this.#messages.push(report)
    if (this.#messages.length > MESSAGES_UNSENT_MAX) this.#messages.shift()
    this.#wake()
  }

  waited(ref: KeyedAttempt, waiting: boolean): void {
    this.#keep(ref).waiting = waiting
    if (this.#live) this.#waiting.set(ref.key, { ref, waiting })
    this.#wake()
  }

  creditsChanged(): void {
    this.#wake()
  }

  /** Acknowledged, fenced or handed back: nothing of the attempt is said any more. */
  forgotten(ref: AttemptRef): void {
    const key = attemptKey(ref)
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    if (this.#progress.size > 0) this.#progress.delete(key)
    if (this.#heartbeats.size > 0) this.#heartbeats.delete(key)
    if (this.#waiting.size > 0) this.#waiting.delete(key)
    if (this.#settled !== undefined && !this.#hasResults()) this.#settled.resolve()
  }

  /** The session is lost: whatever it had to say is void. */
  clear(): void {
    this.#kept.clear()
    this.pause()
  }

  /** The stream broke: nothing can be said until `rewind`. */
  pause(): void {
    this.#live = false
    this.#results = []
    this.#messages = []
    this.#handedBack = []
    this.#progress.clear()
    this.#heartbeats.clear()
    this.#waiting.clear()
  }

  /** A new stream: everything kept is to be said again. */
  rewind(): void {
    this.#live = true
    const kept = [...this.#kept.values()]
    this.#results = kept.flatMap(({ result }) => result ?? [])
    this.#messages = kept.flatMap(({ messages }) => messages)
    const newest = (what: 'progress' | 'heartbeat') =>
      new Map(kept.flatMap(({ ref, [what]: report }) => (report ? [[ref.key, report]] : [])))
    this.#progress = newest('progress')
    this.#heartbeats = newest('heartbeat')
    this.#waiting = new Map(
      kept.flatMap(({ ref, waiting }) =>
        waiting === undefined ? [] : [[ref.key, { ref, waiting }] as const],
      ),
    )
  }

  /** Adds what is to be said to the message, as much as fits; true when it added anything. */
  fill(frame: AttachRequest): boolean {
    if (this.#handedBack.length > 0) frame.handedBack = this.#handedBack.map(attemptRefMessage)
    if (this.#waiting.size > 0) {
      frame.waiting = [...this.#waiting.values()].map(({ ref, waiting }) => ({
        ...attemptRefMessage(ref),
        waiting,
      }))
    }
    this.#handedBack = []
    this.#waiting.clear()
    const reported = this.#fillReports(frame)
    return reported || frame.handedBack.length + frame.waiting.length > 0
  }

  /** Invariant 2: messages wait until all progress is in, results until that and all messages of their attempt are. */
  #fillReports(frame: AttachRequest): boolean {
    let room = FRAME_BYTES_MAX
    for (const reports of [this.#progress, this.#heartbeats]) {
      for (const [key, { report, bytes }] of reports) {
        if (frame.progress.length > 0 && bytes > room) return true
        frame.progress.push(report)
        reports.delete(key)
        room -= bytes
      }
    }
    const roomForMessages = this.#results.length > 0 ? room / 2 : room
    const messages = takeWithin(this.#messages, roomForMessages, ({ bytes }) => bytes)
    frame.messages = messages.taken.map(({ report }) => report)
    this.#messages = messages.left
    room -= messages.bytes
    const speaking = new Set(this.#messages.map(({ report }) => attemptKey(report)))
    const behind = (result: AttemptResult) => speaking.has(attemptKey(result))
    const waiting = speaking.size > 0 ? this.#results.filter(behind) : []
    const ready = waiting.length > 0 ? this.#results.filter((each) => !behind(each)) : this.#results
    const results = takeWithin(ready, room, resultBytes)
    frame.results = results.taken
    this.#results = waiting.length > 0 ? [...results.left, ...waiting] : results.left
    return frame.progress.length + frame.messages.length + frame.results.length > 0
  }

  /** The report with its size, which only the encoder knows; undefined where it cannot be encoded (invariant 4). */
  #sized<T>(
    ref: AttemptRef,
    type: { encode(report: T): { finish(): Uint8Array } },
    make: () => T,
  ): Sized<T> | undefined {
    try {
      const report = make()
      return { report, bytes: type.encode(report).finish().length }
    } catch (error) {
      this.#onDropped(ref, error)
      return undefined
    }
  }

  #hasResults(): boolean {
    for (const { result } of this.#kept.values()) if (result !== undefined) return true
    return false
  }

  #keep({ key, jobId, attempt }: KeyedAttempt): Kept {
    let kept = this.#kept.get(key)
    if (kept === undefined) {
      kept = {
        ref: { key, jobId, attempt },
        result: undefined,
        progress: undefined,
        heartbeat: undefined,
        messages: [],
        waiting: undefined,
      }
      this.#kept.set(key, kept)
    }
    return kept
  }
}

/** Takes entries from the front while they fit; at least one, so that there is always headway. */
function takeWithin<T>(
  entries: T[],
  room: number,
  bytesOf: (entry: T) => number,
): { taken: T[]; left: T[]; bytes: number } {
  let bytes = 0
  let count = 0
  for (const entry of entries) {
    bytes += bytesOf(entry)
    if (count > 0 && bytes > room) break
    count += 1
  }
  if (count === entries.length) return { taken: entries, left: [], bytes }
  return { taken: entries.slice(0, count), left: entries.slice(count), bytes }
}

function resultBytes({ outcome, additionalResult }: AttemptResult): number {
  let bytes = ENTRY_BYTES
  if (outcome?.$case === 'succeeded') bytes += payloadBytes(outcome.value.source)
  if (outcome?.$case === 'failed') bytes += (outcome.value.detail.length + 1_000) * 3
  return bytes + payloadBytes(additionalResult?.source)
}

function payloadBytes(source: { readonly value: Buffer | string } | undefined): number {
  return source?.value.length ?? 0
}
