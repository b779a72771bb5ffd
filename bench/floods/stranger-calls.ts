/** Calls of strangers as frames of HTTP/2, so that a flood of them costs its sender little. */

const DATA = 0
const HEADERS = 1
const SETTINGS = 4
const END_STREAM = 1
const END_HEADERS = 4
const EMPTY_MESSAGE = Buffer.alloc(5)
/** The beginning of a message of 1,024 bytes, and those. */
const SMALL_MESSAGE = Buffer.from([0, 0, 0, 4, 0, ...Buffer.alloc(1_024)])

interface Strangers {
  readonly about: string
  /** @param token one of the forged */
  call(stream: number, token: string): Buffer
}

export const STRANGERS: Readonly<Record<string, Strangers>> = {
  none: {
    about: 'no token',
    call: (stream) =>
      Buffer.concat([begin(stream, JOB), frame(DATA, END_STREAM, stream, EMPTY_MESSAGE)]),
  },
  wrong: {
    about: 'a forged token',
    call: (stream, token) =>
      Buffer.concat([
        begin(stream, JOB, ['authorization', `Bearer ${token}`]),
        frame(DATA, END_STREAM, stream, EMPTY_MESSAGE),
      ]),
  },
  tiny: {
    about: 'health, byte by byte',
    call: (stream) =>
      Buffer.concat([
        begin(stream, '/grpc.health.v1.Health/Check'),
        ...[...SMALL_MESSAGE].map((byte) => frame(DATA, 0, stream, Buffer.from([byte]))),
      ]),
  },
}

const JOB = '/offstage.jobs.v1.JobService/GetJob'

/** What a connection begins with. */
export const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(SETTINGS, 0, 0, Buffer.alloc(0)),
])

function begin(stream: number, path: string, ...more: [name: string, value: string][]): Buffer {
  const headers: [name: string, value: string][] = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'localhost'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ]
  return frame(HEADERS, END_HEADERS, stream, Buffer.concat(headers.map(literal)))
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** In plain bytes, to be remembered by nobody. */
function literal([name, value]: [name: string, value: string]): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const beyond = bytes.length - 127
  const length = beyond < 0 ? [bytes.length] : [127, (beyond & 127) | 128, beyond >> 7]
  return Buffer.concat([Buffer.from(length), bytes])
}
