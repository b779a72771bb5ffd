/** Connections nobody should make, to a port that speaks gRPC. */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** A frame of HTTP/2. */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const SETTINGS = frame(4, 0, 0, Buffer.alloc(0))
const greeted = (...frames: readonly Buffer[]) => Buffer.concat([PREFACE, SETTINGS, ...frames])
/** The beginning of a TLS handshake: a record, and in it a ClientHello that says more than comes. */
const CLIENT_HELLO = Buffer.concat([Buffer.from('1603010200010001fc0303', 'hex'), randomBytes(64)])

/** What is sent, at once or never; `leaves` ends the connection from this side, `breaks` without a word. */
interface OddConnection {
  readonly sends: () => Buffer
  readonly end: 'stays' | 'leaves' | 'breaks'
}

export const ODD_CONNECTIONS: Readonly<Record<string, OddConnection>> = {
  'garbage that stays': { sends: () => randomBytes(500), end: 'stays' },
  'garbage that leaves': { sends: () => randomBytes(500), end: 'leaves' },
  'silence that stays': { sends: () => Buffer.alloc(0), end: 'stays' },
  'silence that breaks': { sends: () => Buffer.alloc(0), end: 'breaks' },
  'a TLS hello': { sends: () => CLIENT_HELLO, end: 'stays' },
  'HTTP/1': { sends: () => Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'), end: 'stays' },
  'half a preface': { sends: () => PREFACE.subarray(0, 10), end: 'stays' },
  'a preface, closed on one side': { sends: () => PREFACE, end: 'leaves' },
  'a greeting and silence': { sends: () => greeted(), end: 'stays' },
  'garbage in frames': {
    sends: () => greeted(...Array.from({ length: 20 }, (_, n) => frame(n, n, n, randomBytes(50)))),
    end: 'stays',
  },
  'headers that are none': {
    sends: () => greeted(frame(1, 4, 1, randomBytes(200))),
    end: 'stays',
  },
  'data without headers': { sends: () => greeted(frame(0, 0, 1, randomBytes(200))), end: 'stays' },
  'a frame that never ends': {
    sends: () => greeted(Buffer.from('ffffff0000000000010000', 'hex'), randomBytes(10_000)),
    end: 'stays',
  },
  'a thousand pings': {
    sends: () => greeted(...Array.from({ length: 1_000 }, () => frame(6, 0, 0, randomBytes(8)))),
    end: 'breaks',
  },
}

/** Makes it; resolves once what it says has been said, or refused. */
export function openOdd(address: string, { sends, end }: OddConnection): Promise<Socket> {
  const [host = '', port = ''] = address.split(':')
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), allowHalfOpen: true })
    const done = () => {
      if (end === 'leaves') socket.end()
      if (end === 'breaks') socket.resetAndDestroy()
      resolve(socket)
    }
    socket.on('error', () => resolve(socket)).resume()
    socket.once('connect', () => {
      const bytes = sends()
      if (bytes.length === 0) done()
      else socket.write(bytes, done)
    })
  })
}
