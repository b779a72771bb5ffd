/** For tests: a client of HTTP/2 that sends what no library would. */
import { once } from 'node:events'
import { connect } from 'node:net'

const DATA = 0
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4

export type RawHeaders = readonly (readonly [name: string, value: string])[]

export interface RawClient extends Disposable {
  /** Opens the next stream, whose number is returned. */
  headers(headers: RawHeaders, end?: boolean): number
  data(stream: number, ...pieces: readonly Buffer[]): void
  /** By which code each stream was reset. */
  readonly resets: ReadonlyMap<number, number>
  /** Streams of which something was heard. */
  readonly answered: ReadonlySet<number>
  readonly closed: boolean
  end(stream: number): void
}

/** Of a call. */
export function rawHeadersOf(path: string, ...more: RawHeaders): RawHeaders {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'localhost'],
    [':path', path],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ]
}

export async function openRaw(address: string): Promise<RawClient> {
  const [host = '', port] = address.split(':')
  const socket = connect({ host, port: Number(port) })
  await once(socket, 'connect')
  const state = { closed: false, last: -1, rest: Buffer.alloc(0) }
  const resets = new Map<number, number>()
  const answered = new Set<number>()
  socket
    .on('error', () => {})
    .on('close', () => {
      state.closed = true
    })
  socket.on('data', (piece: Buffer) => {
    state.rest = Buffer.concat([state.rest, piece])
    while (state.rest.length >= 9 && state.rest.length >= 9 + state.rest.readUIntBE(0, 3)) {
      const [length, type, flags] = [state.rest.readUIntBE(0, 3), state.rest[3], state.rest[4]]
      if (type === SETTINGS && flags === 0) socket.write(frame(SETTINGS, ACK, 0))
      if (type === RST_STREAM) resets.set(state.rest.readUInt32BE(5), state.rest.readUInt32BE(9))
      if (type === HEADERS) answered.add(state.rest.readUInt32BE(5))
      state.rest = state.rest.subarray(9 + length)
    }
  })
  socket.write(
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0, 0)]),
  )
  return {
    resets,
    answered,
    get closed() {
      return state.closed
    },
    headers(headers, end = false) {
      state.last += 2
      const block = Buffer.concat(headers.map(literal))
      socket.write(frame(HEADERS, END_HEADERS | (end ? END_STREAM : 0), state.last, block))
      return state.last
    },
    data: (stream, ...pieces) =>
      void socket.write(Buffer.concat(pieces.map((piece) => frame(DATA, 0, stream, piece)))),
    end: (stream) => void socket.write(frame(DATA, END_STREAM, stream)),
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(),
): Buffer<ArrayBuffer> {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A header that is in no table (HPACK); its parts are shorter than 127 bytes. */
function literal([name, value]: readonly [string, string]): Buffer {
  const text = (part: string) => [Buffer.from([part.length]), Buffer.from(part)]
  return Buffer.concat([Buffer.from([0]), ...text(name), ...text(value)])
}
