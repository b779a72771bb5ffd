/**
 * The executor's session with the scheduler: one Attach stream at a time, opened again whenever it
 * breaks.
 *
 *   idle → connecting → attached → (broken → connecting)* → stopped
 *
 * A session outlives its streams: within the lease the same session id attaches again, names what it
 * still runs and says again what was not acknowledged. Each state owns its stream and its timers.
 *
 * 1. Whatever is heard from a stream that is no longer the state's own is dropped.
 * 2. The lease counts from the last message sent on an attached stream. Once it has run out, or the
 *    scheduler says that the session is gone, the session's attempts are given up (`onLost`) before
 *    a new session id attaches.
 * 3. The first message says hello, and brings the unacknowledged results with it, so that a result
 *    cannot come after the scheduler has looked for what got lost.
 * 4. One message per turn of the event loop, and none while the stream has no room.
 */

import { randomUUID } from 'node:crypto'
import type { Logger } from '@offstage/kit/telemetry'
import { msFrom } from '@offstage/proto/durations'
import type { AttachRequest, AttachResponse, Credit, Hello } from '@offstage/proto/executor'
import type { Duration } from '@offstage/proto/rpc'
import { OffstageError } from '@offstage/sdk/grpc'
import { backoffMs, RECONNECT } from '../domain/backoff.ts'
import type { DrainedBy } from '../domain/drained-by.ts'
import type { AttachStream, OpenAttachStream } from './attach-stream.ts'
import { emptyFrame } from './empty-frame.ts'
import type { Outbox } from './outbox.ts'
import { GONE, UNWANTED } from './refused-attach.ts'

/** How long the scheduler may take to answer hello. */
const WELCOME_TIMEOUT_MS = 10_000
/** How long it may take to end the call after we did. */
const END_TIMEOUT_MS = 1_000
/** How long it may take to record what was handed back, before the stream is broken off: that may be very much. */
const LEAVE_TIMEOUT_MS = 10_000
const LEASE_MS_DEFAULT = 15_000

export interface SessionListener {
  /** Who attaches, but for the session id. */
  hello(): Omit<Hello, 'sessionId' | 'lostSessionId'>
  /** Credits given on an earlier stream are void. */
  onAttached(): void
  /** The credits owed now; they count as given. */
  takeCredits(): Credit[]
  /** Assignments, cancels, fenced and acknowledged attempts. */
  onFrame(frame: AttachResponse): void
  /** The stream has ended; attempts go on. */
  onBroken(): void
  /** The session is lost and with it the right to its attempts. */
  onLost(): void
}

export interface SessionOptions {
  readonly open: OpenAttachStream
  readonly outbox: Outbox
  readonly listener: SessionListener
  readonly log: Logger
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly stream: AttachStream; readonly timer: NodeJS.Timeout }
  | {
      readonly kind: 'attached'
      readonly stream: AttachStream
      readonly heartbeat: NodeJS.Timeout
      hasRoom: boolean
    }
  | { readonly kind: 'broken'; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'stopped' }

export class Session {
  readonly #options: SessionOptions
  #state: State = { kind: 'idle' }
  #id: string = randomUUID()
  /** A session that was given up, until the scheduler knows. */
  #lostId = ''
  #leaseMs = LEASE_MS_DEFAULT
  /** Set from the first welcome of a session on. */
  #lease: NodeJS.Timeout | undefined
  #failures = 0
  #draining = false
  #drainedBy: DrainedBy | undefined
  #pumping = false
  readonly #attached = Promise.withResolvers<void>()
  /** Resolves when the newest stream is over. */
  #ended: Promise<void> = Promise.resolve()

  constructor(options: SessionOptions) {
    this.#options = options
    this.#attached.promise.catch(() => {})
  }

  get id(): string {
    return this.#id
  }

  get attached(): boolean {
    return this.#state.kind === 'attached'
  }

  /**
   * Resolves once the scheduler has accepted the session for the first time; rejects when it will not have what hello
   * announces, though the session goes on trying: another replica may be newer.
   */
  get firstAttached(): Promise<void> {
    return this.#attached.promise
  }

  start(): void {
    if (this.#state.kind === 'idle') this.#connect()
  }

  /** Says on this stream and all later ones that no new work is taken. */
  drain(by?: DrainedBy): void {
    this.#draining = true
    this.#drainedBy = by
    const frame = emptyFrame()
    frame.draining = true
    frame.drainedBy = by
    this.#send(frame)
  }

  /** Something may have to be said: looks once the present turn of the event loop is done. */
  wake(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  /** Ends the stream in good order. What is not acknowledged by now is left to the lease. */
  async stop(): Promise<void> {
    this.#pump()
    const { stream } = this.#leave({ kind: 'stopped' })
    clearTimeout(this.#lease)
    if (stream === undefined) return
    const timer = setTimeout(() => stream.close(), LEAVE_TIMEOUT_MS)
    await stream.drained()
    stream.end()
    await this.#ended
    clearTimeout(timer)
  }

  #connect(): void {
    const stream = this.#options.open()
    const timer = setTimeout(() => stream.close(), WELCOME_TIMEOUT_MS)
    this.#state = { kind: 'connecting', stream, timer }
    this.#ended = this.#listen(stream)
    const { outbox, listener } = this.#options
    outbox.rewind()
    const frame = emptyFrame()
    frame.hello = { ...listener.hello(), sessionId: this.#id, lostSessionId: this.#lostId }
    frame.draining = this.#draining
    frame.drainedBy = this.#drainedBy
    outbox.fill(frame)
    stream.send(frame)
  }

  async #listen(stream: AttachStream): Promise<void> {
    let fault: unknown
    try {
      for await (const frame of stream.responses) this.#hear(stream, frame)
    } catch (error) {
      fault = error
    }
    this.#break(stream, fault)
  }

  #hear(stream: AttachStream, frame: AttachResponse): void {
    if (frame.welcome !== undefined)
      this.#welcome(stream, frame.welcome.lease, frame.welcome.scheduler)
    if (this.#state.kind !== 'attached' || this.#state.stream !== stream) return
    this.#options.listener.onFrame(frame)
    if (frame.drain) this.#moveOn(stream)
  }

  #welcome(stream: AttachStream, lease: Duration | undefined, scheduler: string): void {
    if (this.#state.kind !== 'connecting' || this.#state.stream !== stream) return
    clearTimeout(this.#state.timer)
    if (lease !== undefined) this.#leaseMs = Math.max(100, msFrom(lease))
    const beat = () => {
      // What cannot be sent renews nothing.
      if (this.#state.kind === 'attached' && !this.#state.hasRoom) return
      const frame = emptyFrame()
      frame.heartbeat = true
      this.#send(frame)
    }
    const heartbeat = setInterval(beat, this.#leaseMs / 3)
    this.#state = { kind: 'attached', stream, heartbeat, hasRoom: true }
    this.#failures = 0
    this.#lostId = ''
    this.#renewLease()
    this.#options.log.info({ session: this.#id, scheduler, leaseMs: this.#leaseMs }, 'attached')
    this.#options.listener.onAttached()
    this.#attached.resolve()
    this.wake()
  }

  /** The replica is going away: leaves its stream and attaches to whoever answers next. */
  #moveOn(stream: AttachStream): void {
    this.#options.log.info({ session: this.#id }, 'the scheduler replica is going away')
    this.#pump()
    stream.end()
    setTimeout(() => stream.close(), END_TIMEOUT_MS).unref()
    this.#retry(this.#leave({ kind: 'idle' }).wasAttached)
  }

  #break(stream: AttachStream, fault: unknown): void {
    stream.close()
    const state = this.#state
    const own =
      (state.kind === 'connecting' || state.kind === 'attached') && state.stream === stream
    if (!own) return
    const { wasAttached } = this.#leave({ kind: 'idle' })
    const about = { session: this.#id, err: fault }
    if (wasAttached || this.#failures === 0) this.#options.log.warn(about, 'no stream to scheduler')
    else this.#options.log.debug(about, 'cannot attach')
    const gone = fault instanceof OffstageError && GONE.has(fault.reason)
    if (gone) this.#lose()
    if (fault instanceof OffstageError && UNWANTED.has(fault.reason)) this.#attached.reject(fault)
    this.#retry(wasAttached)
  }

  #retry(wasAttached: boolean): void {
    this.#options.outbox.pause()
    if (wasAttached) this.#options.listener.onBroken()
    this.#failures += 1
    const pauseMs = backoffMs(RECONNECT, this.#failures, Math.random())
    this.#state = { kind: 'broken', timer: setTimeout(() => this.#connect(), pauseMs) }
  }

  /** Gives up what the state owns and enters the next one. */
  #leave(next: State): { stream: AttachStream | undefined; wasAttached: boolean } {
    const state = this.#state
    this.#state = next
    switch (state.kind) {
      case 'connecting':
        clearTimeout(state.timer)
        return { stream: state.stream, wasAttached: false }
      case 'attached':
        clearInterval(state.heartbeat)
        return { stream: state.stream, wasAttached: true }
      case 'broken':
        clearTimeout(state.timer)
        return { stream: undefined, wasAttached: false }
      case 'idle':
      case 'stopped':
        return { stream: undefined, wasAttached: false }
    }
  }

  /** Runs out only while no stream renews it. */
  #renewLease(): void {
    if (this.#lease === undefined) this.#lease = setTimeout(() => this.#expire(), this.#leaseMs)
    else this.#lease.refresh()
  }

  #expire(): void {
    if (this.#state.kind === 'stopped') return
    this.#options.log.warn({ session: this.#id }, 'the lease has run out')
    this.#lose()
    const { stream } = this.#leave({ kind: 'idle' })
    stream?.close()
    this.#retry(stream !== undefined)
  }

  #lose(): void {
    // One that was never welcomed held nothing.
    if (this.#lease !== undefined) this.#lostId = this.#id
    clearTimeout(this.#lease)
    this.#lease = undefined
    this.#options.listener.onLost()
    this.#options.outbox.clear()
    this.#id = randomUUID()
  }

  #pump(): void {
    const { outbox, listener } = this.#options
    while (this.#state.kind === 'attached' && this.#state.hasRoom) {
      const frame = emptyFrame()
      const filled = outbox.fill(frame)
      frame.credits = listener.takeCredits()
      if (!filled && frame.credits.length === 0) return
      this.#send(frame)
    }
  }

  #send(frame: AttachRequest): void {
    const state = this.#state
    if (state.kind !== 'attached') return
    this.#renewLease()
    if (state.stream.send(frame)) return
    state.hasRoom = false
    void state.stream.drained().then(() => {
      state.hasRoom = true
      this.#pump()
    })
  }
}
