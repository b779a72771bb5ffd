/** Connections that are closed from this side, whether their other end takes anything or not. */
import { once } from 'node:events'
import { constants, type Http2Server, type ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'

/** In which the last answers are taken; Node waits for that for ever. */
const TAKEN_MS = 2_000

export class Connections {
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #sockets = new WeakMap<ServerHttp2Session, Socket>()
  readonly #closing = new Set<Socket>()

  /** Node shows the socket of a session to nobody who could destroy it. */
  watch(http2Server: Http2Server): void {
    let latest: Socket | undefined
    const note = (socket: Socket) => {
      latest = socket
    }
    http2Server.prependListener('connection', note)
    http2Server.prependListener('secureConnection', note)
    http2Server.prependListener('session', (session) => {
      if (latest !== undefined) this.#sockets.set(session, latest)
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
  }

  /** Closes it when its last answers have been handed over. */
  close(session: ServerHttp2Session): void {
    const socket = this.#sockets.get(session)
    if (socket === undefined || session.destroyed) return
    this.#closing.add(socket)
    const end = setTimeout(() => socket.destroy(), TAKEN_MS).unref()
    socket.once('close', () => {
      clearTimeout(end)
      this.#closing.delete(socket)
    })
    setImmediate(() => {
      // Without an error, which would be one of the server.
      session.destroy(null as never, constants.NGHTTP2_ENHANCE_YOUR_CALM)
    })
  }

  /** Ends all, with what is under way on them: grpc-js knows its connections only where it counts them for channelz. */
  cut(): void {
    for (const session of this.#sessions) session.destroy(constants.NGHTTP2_CANCEL as never)
  }

  /** Of those that are being closed grpc-js would not hear any more. */
  async stop(): Promise<void> {
    const gone = [...this.#closing].map((socket) => once(socket, 'close'))
    for (const socket of this.#closing) socket.destroy()
    await Promise.all(gone)
  }
}
