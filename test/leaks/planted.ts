/** Code that leaks in known lines, and code that does not, outside of the SDK's own files. */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { closeSync, openSync, watch } from 'node:fs'
import { open } from 'node:fs/promises'
import { Agent, createServer as createHttpServer, get } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

const HERE = new URL(import.meta.url).pathname

/** What is to be undone when a test is over. */
export const undo: (() => unknown)[] = []
export const shared = new EventEmitter().setMaxListeners(0)
/** Begins its answers, and ends none. */
class QuietServer {
  readonly #server = createHttpServer((_request, response) => void response.write('hello'))

  async start(): Promise<void> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening')
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
export const quiet = new QuietServer()

/** Node closes what nobody holds. */
const unread: Response[] = []
export const controller = new AbortController()

export const LEAKS: Readonly<Record<string, () => unknown>> = {
  timer: () => {
    const timer = setInterval(() => {}, 60_000)
    undo.push(() => clearInterval(timer))
  },
  'timer that is awaited by nobody': () => {
    const aborted = new AbortController()
    void delay(60_000, undefined, { signal: aborted.signal }).catch(() => {})
    undo.push(() => aborted.abort())
  },
  socket: async () => {
    const server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    undo.push(() => server.close())
  },
  file: async () => {
    const file = await open(HERE)
    undo.push(() => file.close())
  },
  'file by number': () => {
    const file = openSync(HERE, 'r')
    undo.push(() => closeSync(file))
  },
  'file watcher': () => {
    const watcher = watch(HERE)
    undo.push(() => watcher.close())
  },
  listener: () => void shared.on('change', () => {}),
  'listener of a signal': () => controller.signal.addEventListener('abort', () => {}),
  'request whose answer is not read': async () => {
    await once(get(quiet.url), 'response')
  },
  'request of fetch whose answer is not read': async () => {
    unread.push(await fetch(quiet.url))
  },
  worker: async () => {
    const worker = new Worker('setInterval(() => {}, 1_000)', { eval: true })
    undo.push(() => worker.terminate())
    await once(worker, 'online')
  },
  process: () => {
    const child = spawn('sleep', ['60'])
    undo.push(() => child.kill())
  },
}

/** Uses one of each, and leaves nothing; a connection of its own is kept, as those of HTTP are. */
export class Tidy {
  readonly #http = createHttpServer((_request, response) => response.end('hello'))
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  #kept: Socket | undefined
  #url = ''

  async start(): Promise<void> {
    await once(this.#http.listen(0, '127.0.0.1'), 'listening')
    this.#url = `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
  }

  async run(): Promise<void> {
    const { port } = new URL(this.#url)
    this.#kept ??= connect(Number(port), '127.0.0.1')
    await (await fetch(this.#url)).text()
    const [response] = await once(get(this.#url, { agent: this.#agent }), 'response')
    await once(response.resume(), 'end')
    clearInterval(setInterval(() => {}, 60_000))
    await delay(1)
    const file = await open(HERE)
    await file.close()
    closeSync(openSync(HERE, 'r'))
    const onChange = () => {}
    shared.on('change', onChange).off('change', onChange)
    const signal = AbortSignal.any([controller.signal, AbortSignal.timeout(60_000)])
    signal.addEventListener('abort', onChange)
    new EventEmitter().on('change', onChange)
    const worker = new Worker('', { eval: true })
    const child = spawn('true')
    await Promise.all([once(worker, 'exit'), once(child, 'close')])
    // Closed while the run ends.
    const late = connect(Number(port), '127.0.0.1')
    await once(late, 'connect')
    late.end()
  }

  async stop(): Promise<void> {
    this.#kept?.destroy()
    this.#agent.destroy()
    this.#http.closeAllConnections()
    this.#http.close()
  }
}
