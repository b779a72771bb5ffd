/**
 * A flood of strangers, in a process of its own: `node stranger-flood.ts <address> <from> <name> <calls a second> <connections>`;
 * STRANGER_TOKENS has forged tokens.
 */
import { connect, type Socket } from 'node:net'
import { PREFACE, STRANGERS } from './stranger-calls.ts'

const [address = '', localAddress = '', name = '', perSecond = '', connections = ''] =
  process.argv.slice(2)
const [host = '', port = ''] = address.split(':')
const strangers = STRANGERS[name]
if (strangers === undefined) throw new Error(`no strangers ${name}`)
const tokens = (process.env.STRANGER_TOKENS ?? '').split(' ')

const TICK_MS = 10
const UNSENT_BYTES_MAX = 1024 * 1024
const PER_TICK_OF_CONNECTION = 20

interface Line {
  readonly socket: Socket
  stream: number
}

const lines = new Set<Line>()

/** Comes back when it is closed. */
function dial(): void {
  const socket = connect({ host, port: Number(port), localAddress })
  const line = { socket, stream: -1 }
  socket
    .on('error', () => {})
    .on('data', () => {})
    .on('connect', () => {
      socket.write(PREFACE)
      lines.add(line)
    })
    .on('close', () => {
      lines.delete(line)
      setTimeout(dial, 1)
    })
}
for (let i = 0; i < Number(connections); i += 1) dial()

let owed = 0
let calls = 0
setInterval(() => {
  const rate = Number(perSecond)
  owed = Math.min(owed + (TICK_MS / 1_000) * rate, rate / 2)
  for (let round = 0; round < PER_TICK_OF_CONNECTION; round += 1) {
    for (const line of lines) {
      if (owed < 1) return
      if (line.socket.writableLength > UNSENT_BYTES_MAX) continue
      line.stream += 2
      calls += 1
      owed -= 1
      line.socket.write(strangers.call(line.stream, tokens[calls % tokens.length] ?? ''))
    }
  }
}, TICK_MS)
console.log('flooding')
