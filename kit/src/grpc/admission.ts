/**
 * What comes before the handlers of a server. grpc-js calls those of one request only once that is there as a whole; here it is known
 * who calls before anything but the headers is read.
 *
 * 1. No message of a call that is not admitted is read, and its stream is reset soon.
 * 2. What is held of messages that are not whole yet is bounded, in time and over all, and so is what compressed ones become.
 * 3. Who need not be asked about pays no await.
 */
import { constants, type ServerHttp2Stream } from 'node:http2'
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerListener,
} from '@grpc/grpc-js'
import { type Actor, may, type Right, rolesWith } from '../auth/mod.ts'
import { shownBy } from './call-context.ts'
import type { Edge } from './edge.ts'
import { type Compressed, inflateInTurn, inflations } from './inflations.ts'
import { Refusal } from './refusal.ts'
import { resetLater } from './slow-readers.ts'
import { statusFromError } from './status-from-error.ts'
import type { Strangers } from './strangers.ts'
import { crumbledMessage, type Unfinished, type UnfinishedRequests } from './unfinished-requests.ts'

/** Whom health, reflection and the siblings' services answer: whoever asks. */
const ANYBODY = ''
/** None of those takes more. */
const ANYBODYS_BYTES_MAX = 64 * 1024
/** It may become a thousand times as large. */
const ANYBODYS_COMPRESSED_BYTES_MAX = 1024

/** What of a call of grpc-js its interface does not have. */
interface BaseCall extends ServerInterceptingCallInterface, Compressed {
  readonly stream: ServerHttp2Stream
}

/** For all calls of a server; `rights` says what callers of a path need, where they need any. */
export function admission(
  edge: Edge,
  rights: ReadonlyMap<string, Right>,
  unfinished: UnfinishedRequests,
  strangers: Strangers,
): ServerInterceptor {
  const turns = inflations()
  return ({ path, requestStream }, next) => {
    const call = next as BaseCall
    const right = rights.get(path)
    const refuse = (error: unknown) => {
      call.sendStatus(
        statusFromError(error, (err) =>
          edge.log.error({ err, method: path }, 'a call failed unexpectedly'),
        ),
      )
      resetLater(call.stream)
    }
    /** The rest of its message does not come any more, so it costs nothing. */
    const refuseUnread = (error: unknown) => {
      refuse(error)
      call.stream.close(constants.NGHTTP2_NO_ERROR)
    }
    const letIn = (caller: string, metadata: Metadata, pass: (metadata: Metadata) => void) => {
      watch.begin(caller)
      const compressedMax = right === undefined ? ANYBODYS_COMPRESSED_BYTES_MAX : undefined
      inflateInTurn(call, caller, turns, compressedMax)
      pass(metadata)
    }
    const watch = new Watch(call.stream, unfinished, {
      refuse,
      cutOff(error) {
        refuse(error)
        call.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
        strangers.visitOf(call.stream)?.misused()
      },
      bytesMax: right === undefined ? ANYBODYS_BYTES_MAX : Number.POSITIVE_INFINITY,
      manyMessages: requestStream,
    })
    const listener: ServerListener = {
      onReceiveMetadata(metadata, pass) {
        if (right === undefined) return letIn(ANYBODY, metadata, pass)
        const visit = strangers.visitOf(call.stream)
        // The connection is gone.
        if (visit === undefined) return
        const admitted = (actor: Actor) => {
          visit.known()
          try {
            checkRight(actor, right, path)
            edge.admitted.set(metadata, { actor, stream: call.stream })
            letIn(actor.user, metadata, pass)
          } catch (error) {
            refuseUnread(error)
          }
        }
        const stranger = (error: unknown) => {
          refuseUnread(error)
          visit.refused()
        }
        visit.enter(call.stream, () => {
          const closed = closedTo(edge, right)
          if (closed !== undefined) return refuseUnread(closed)
          return look(edge, metadata, call, admitted, stranger)
        })
      },
      onReceiveMessage(message, pass) {
        if (requestStream) watch.finish()
        pass(message)
      },
      onReceiveHalfClose(pass) {
        watch.finish()
        pass()
      },
      onCancel: () => watch.finish(),
    }
    return new ServerInterceptingCall(call, { start: (start) => start(listener) })
  }
}

/** Why nobody is let in at the moment. */
function closedTo(edge: Edge, right: Right): Refusal | undefined {
  if (edge.stopping) {
    return new Refusal({ reason: 'SHUTTING_DOWN', message: 'the server is stopping' })
  }
  // Executors take work away.
  return edge.memory.isShort && right !== 'executors.attach' ? memoryShort() : undefined
}

/** Finds out who calls; resolves when that was told, if it takes a while. */
function look(
  edge: Edge,
  metadata: Metadata,
  call: BaseCall,
  admitted: (actor: Actor) => void,
  stranger: (error: unknown) => void,
): Promise<void> | void {
  let actor: Actor | Promise<Actor>
  try {
    actor = edge.authenticate(metadata, call.getPeer(), shownBy(call))
  } catch (error) {
    return stranger(error)
  }
  if (actor instanceof Promise) return actor.then(admitted, stranger)
  admitted(actor)
}

function memoryShort(): Refusal {
  return new Refusal({
    reason: 'OVERLOADED',
    message: 'the memory of this process is nearly used up; nothing of this call was kept',
    metadata: { limit: 'memory' },
    retryDelayMs: 1_000,
  })
}

function checkRight(actor: Actor, right: Right, path: string): void {
  if (may(actor, right)) return
  throw new Refusal({
    reason: 'PERMISSION_DENIED',
    message: `${path} needs one of the roles ${rolesWith(right).join(', ')}`,
    metadata: { right },
  })
}

interface Watched {
  readonly refuse: (error: unknown) => void
  /** As that, and nothing more of it is read. */
  readonly cutOff: (error: unknown) => void
  readonly bytesMax: number
  /** Then a message begins with its first byte, else with the call. */
  readonly manyMessages: boolean
}

/** The message of a call that is on its way. */
class Watch {
  readonly #stream: ServerHttp2Stream
  readonly #requests: UnfinishedRequests
  readonly #watched: Watched
  #caller = ANYBODY
  #one: Unfinished | undefined

  constructor(stream: ServerHttp2Stream, requests: UnfinishedRequests, watched: Watched) {
    this.#stream = stream
    this.#requests = requests
    this.#watched = watched
  }

  begin(caller: string): void {
    this.#caller = caller
    if (!this.#watched.manyMessages) this.#open()
    // grpc-js has paused the stream, so this does not set it going.
    this.#stream.on('data', (piece: Buffer) => this.#receive(piece.length))
  }

  finish(): void {
    if (this.#one === undefined) return
    this.#requests.finish(this.#one)
    this.#one = undefined
  }

  #open(): Unfinished {
    this.#one = this.#requests.begin(this.#caller, this.#watched.refuse)
    return this.#one
  }

  #receive(bytes: number): void {
    const one = this.#one ?? this.#open()
    if (!this.#requests.receive(one, bytes)) {
      this.finish()
      this.#watched.cutOff(crumbledMessage())
      return
    }
    if (one.bytes <= this.#watched.bytesMax) return
    this.finish()
    const message = `this takes messages of ${ANYBODYS_BYTES_MAX} bytes at most`
    this.#watched.refuse(new Refusal({ reason: 'MESSAGE_TOO_LARGE', message }))
  }
}
