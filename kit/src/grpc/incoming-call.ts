/**
 * A call from its headers to its end, as it stands between grpc-js and the handlers: what the one tells goes through here before the
 * other hears of it. One object is all of that, and the record of the message that is on its way: it is made for each call.
 */
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Metadata, ServerInterceptingCallInterface } from '@grpc/grpc-js'
import { type Actor, may, namesIn, type Right, rolesWith, type Shown } from '../auth/mod.ts'
import { isForged } from '../auth/tokens/token-refusals.ts'
import type { Turns } from '../fairness/mod.ts'
import type { Edge } from './edge.ts'
import { type Compressed, inflateInTurn } from './inflations.ts'
import { Refusal } from './refusal.ts'
import { resetLater } from './slow-readers.ts'
import { statusFromError } from './status-from-error.ts'
import { type Entrant, FORGERY_COST, type Strangers, type Visit } from './strangers.ts'
import {
  crumbledMessage,
  PIECES_MAX,
  type Unfinished,
  type UnfinishedRequests,
} from './unfinished-requests.ts'

/** Whom health, reflection and the siblings' services answer: whoever asks. */
const ANYBODY = ''
/** None of those takes more. */
const ANYBODYS_BYTES_MAX = 64 * 1024
const ANYBODYS_PIECES_MAX = 64
/** It may become a thousand times as large. */
const ANYBODYS_COMPRESSED_BYTES_MAX = 1024

/** What of a call of grpc-js its interface does not have. */
export interface BaseCall extends ServerInterceptingCallInterface, Compressed {
  readonly stream: ServerHttp2Stream
  /** Is given each piece of a message. */
  handleDataFrame(piece: Buffer): void
}

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0]

/** What all calls of a server share. */
export interface Entrance {
  readonly edge: Edge
  readonly unfinished: UnfinishedRequests
  readonly strangers: Strangers
  readonly inflations: Turns
}

/** What is called. */
export interface Called {
  readonly path: string
  /** Then a message begins with its first byte, else with the call. */
  readonly manyMessages: boolean
  /** What callers need; undefined: nothing. */
  readonly right: Right | undefined
}

export class IncomingCall
  implements ServerInterceptingCallInterface, Listener, Entrant, Unfinished, Shown
{
  /** Known from the admission on. */
  actor: Actor | undefined
  sinceMs = 0
  bytes = 0
  pieces = 0
  readonly #entrance: Entrance
  readonly #called: Called
  readonly #call: BaseCall
  #next: Listener | undefined
  #metadata: Metadata | undefined
  #visit: Visit | undefined
  #peer: string | undefined
  #isUnfinished = false
  #isCancelled = false

  constructor(entrance: Entrance, called: Called, call: BaseCall) {
    this.#entrance = entrance
    this.#called = called
    this.#call = call
  }

  get stream(): ServerHttp2Stream {
    return this.#call.stream
  }

  /** Whose messages these are. */
  get caller(): string {
    return this.actor?.user ?? ANYBODY
  }

  // What the handlers' side does.

  start(listener: Listener): void {
    this.#next = listener
    this.#call.start(this)
  }

  sendMetadata(metadata: Metadata): void {
    this.#call.sendMetadata(metadata)
  }

  sendMessage(message: unknown, callback: () => void): void {
    this.#call.sendMessage(message, callback)
  }

  sendStatus(status: Parameters<BaseCall['sendStatus']>[0]): void {
    this.#call.sendStatus(status)
  }

  startRead(): void {
    this.#call.startRead()
  }

  getPeer(): string {
    this.#peer ??= this.#call.getPeer()
    return this.#peer
  }

  getDeadline(): ReturnType<BaseCall['getDeadline']> {
    return this.#call.getDeadline()
  }

  getHost(): string {
    return this.#call.getHost()
  }

  getAuthContext(): ReturnType<BaseCall['getAuthContext']> {
    return this.#call.getAuthContext()
  }

  getConnectionInfo(): ReturnType<BaseCall['getConnectionInfo']> {
    return this.#call.getConnectionInfo()
  }

  getMetricsRecorder(): ReturnType<BaseCall['getMetricsRecorder']> {
    return this.#call.getMetricsRecorder()
  }

  // What grpc-js tells.

  onReceiveMetadata(metadata: Metadata): void {
    this.#metadata = metadata
    this.#visit = this.#entrance.strangers.visitOf(this.stream)
    // Else the connection is gone.
    if (this.#called.right !== undefined) this.#visit?.enter(this)
    else if (this.#visit?.takes(this.stream)) this.#letIn(ANYBODYS_COMPRESSED_BYTES_MAX)
  }

  onReceiveMessage(message: unknown): void {
    if (this.#called.manyMessages) this.#finish()
    if (!this.#isCancelled) this.#next?.onReceiveMessage(message)
  }

  onReceiveHalfClose(): void {
    this.#finish()
    if (!this.#isCancelled) this.#next?.onReceiveHalfClose()
  }

  onCancel(): void {
    this.#isCancelled = true
    this.#finish()
    this.#next?.onCancel()
  }

  certificateNames(): readonly string[] {
    const { sslPeerCertificate } = this.getAuthContext()
    return sslPeerCertificate === undefined ? [] : namesIn(sslPeerCertificate)
  }

  /** Its message is not waited for. */
  end(reason: Refusal): void {
    this.#isUnfinished = false
    this.#refuse(reason)
  }

  /** Finds out who calls; resolves when that was told, if it takes a while. */
  look(): Promise<void> | void {
    const { edge } = this.#entrance
    const closed = closedTo(edge, this.#called.right)
    if (closed !== undefined) return this.#refuseUnread(closed)
    let actor: Actor | Promise<Actor>
    try {
      actor = edge.authenticate(this.#metadata as Metadata, this.getPeer(), this)
    } catch (error) {
      return this.#turnAway(error)
    }
    if (actor instanceof Promise) {
      return actor.then(
        (known) => this.#admit(known),
        (error) => this.#turnAway(error),
      )
    }
    this.#admit(actor)
  }

  #turnAway(error: unknown): void {
    this.#refuseUnread(error)
    this.#visit?.refused(isForged(error) ? FORGERY_COST : undefined)
  }

  #admit(actor: Actor): void {
    this.#visit?.known()
    const { path, right } = this.#called
    if (right !== undefined && !may(actor, right)) this.#refuseUnread(mayNot(path, right))
    else {
      this.actor = actor
      this.#letIn()
    }
  }

  #letIn(compressedMax?: number): void {
    if (this.#isCancelled) return
    const call = this.#call
    if (!this.#called.manyMessages) this.#begin()
    const receive = call.handleDataFrame
    call.handleDataFrame = (piece) => {
      receive.call(call, piece)
      this.#receive(piece.length)
    }
    inflateInTurn(call, this.caller, this.#entrance.inflations, compressedMax)
    this.#next?.onReceiveMetadata(this.#metadata as Metadata)
  }

  #begin(): void {
    this.#isUnfinished = true
    this.#entrance.unfinished.begin(this)
  }

  #finish(): void {
    if (!this.#isUnfinished) return
    this.#isUnfinished = false
    this.#entrance.unfinished.finish(this)
  }

  #receive(bytes: number): void {
    if (!this.#isUnfinished) {
      // The call has ended, or had its one message.
      if (!this.#called.manyMessages) return
      this.#begin()
    }
    const piecesMax = this.#called.right === undefined ? ANYBODYS_PIECES_MAX : PIECES_MAX
    if (!this.#entrance.unfinished.receive(this, bytes, piecesMax)) {
      this.#finish()
      this.#cutOff(crumbledMessage(piecesMax))
      return
    }
    if (this.#called.right !== undefined || this.bytes <= ANYBODYS_BYTES_MAX) return
    this.#finish()
    const message = `this takes messages of ${ANYBODYS_BYTES_MAX} bytes at most`
    this.#refuse(new Refusal({ reason: 'MESSAGE_TOO_LARGE', message }))
  }

  #refuse(error: unknown): void {
    const { path } = this.#called
    this.#call.sendStatus(
      statusFromError(error, (err) =>
        this.#entrance.edge.log.error({ err, method: path }, 'a call failed unexpectedly'),
      ),
    )
    resetLater(this.stream)
  }

  /** The rest of its message does not come any more, so it costs nothing. */
  #refuseUnread(error: unknown): void {
    this.#refuse(error)
    this.stream.close(constants.NGHTTP2_NO_ERROR)
  }

  /** Nothing more of it is read, and its caller has cost more than what the call is for. */
  #cutOff(error: unknown): void {
    this.#refuse(error)
    this.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    this.#visit?.misused()
  }
}

/** Why nobody is let in at the moment. */
function closedTo(edge: Edge, right: Right | undefined): Refusal | undefined {
  if (edge.stopping) {
    return new Refusal({ reason: 'SHUTTING_DOWN', message: 'the server is stopping' })
  }
  // Executors take work away.
  return edge.memory.isShort && right !== 'executors.attach' ? memoryShort() : undefined
}

function memoryShort(): Refusal {
  return new Refusal({
    reason: 'OVERLOADED',
    message: 'the memory of this process is nearly used up; nothing of this call was kept',
    metadata: { limit: 'memory' },
    retryDelayMs: 1_000,
  })
}

function mayNot(path: string, right: Right): Refusal {
  return new Refusal({
    reason: 'PERMISSION_DENIED',
    message: `${path} needs one of the roles ${rolesWith(right).join(', ')}`,
    metadata: { right },
  })
}
