/** A worker thread as the place where handlers run. It shares the memory of claims with the main thread. */
import {
  MessageChannel,
  type MessagePort,
  type ResourceLimits,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads'
import { faultFromThrown } from '../domain/fault.ts'
import { ClaimBoard } from './claims.ts'
import type { HeldMemory, HostExit, HostListener, RunnerHost } from './runner-host.ts'
import type { ThreadLink, ThreadOptions, ThreadOrders } from './thread-messages.ts'

const ENTRY = new URL('../run/thread.ts', import.meta.url)
const OUT_OF_MEMORY = 'ERR_WORKER_OUT_OF_MEMORY'
/** How long a thread that was ended may take to be gone. One that takes longer is in a call that no JavaScript can interrupt. */
const KILL_MS = 1_000
/**
 * Young values that a collection finds alive are moved into the limited heap at once. More of them than V8 allows over the limit (16
 * MiB) end the whole process instead of the thread.
 */
const YOUNG_MIB_MAX = 16

export interface ThreadHostSettings {
  readonly name: string
  /** Limit of the thread's heap; absent: that of Node. */
  readonly heapBytesMax: number | undefined
  readonly options: ThreadOptions
}

export class ThreadHost implements RunnerHost {
  readonly claims = new ClaimBoard()
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #heapBytesMax: number | undefined
  readonly #listener: HostListener
  #fault: Omit<HostExit, 'thrown'> | undefined
  #isAsked = false
  #killing: NodeJS.Timeout | undefined
  #isOver = false

  constructor({ name, heapBytesMax, options }: ThreadHostSettings, listener: HostListener) {
    const { port1, port2 } = new MessageChannel()
    const link: ThreadLink = { port: port2, claims: this.claims.memory }
    this.#heapBytesMax = heapBytesMax
    this.#port = port1.on('message', (message: unknown) => listener.onMessage(message))
    this.#worker = new Worker(ENTRY, {
      name,
      workerData: { ...options, ...link } satisfies ThreadOptions & ThreadLink,
      transferList: [port2],
      env: handlerEnvironment(),
      resourceLimits: limitsOf(heapBytesMax),
    })
    this.#worker.on('error', (error) => {
      this.#fault ??= faultOf(error)
    })
    this.#worker.on('exit', (code) => {
      stuck.delete(this)
      living.delete(this)
      const detail = `The thread exited with code ${code} (process.exit in a handler?).`
      this.#end({ detail, reason: 'EXECUTOR_THREAD_LOST' })
    })
    this.#listener = listener
    living.add(this)
  }

  post(orders: ThreadOrders): void {
    this.#port.postMessage(orders)
  }

  async memory(): Promise<HeldMemory | undefined> {
    if (this.#isAsked) return undefined
    this.#isAsked = true
    try {
      const { used_heap_size, external_memory, heap_size_limit } =
        await this.#worker.getHeapStatistics()
      return {
        usedBytes: used_heap_size + external_memory,
        limitBytes: this.#heapBytesMax ?? heap_size_limit,
        holder: 'thread',
        limitedBy: 'OFFSTAGE_EXECUTOR_THREAD_HEAP',
      }
    } catch {
      // It starts, or ends.
      return undefined
    } finally {
      this.#isAsked = false
    }
  }

  kill(): void {
    void this.#worker.terminate()
    this.#killing ??= setTimeout(() => this.#giveUp(), KILL_MS)
  }

  /** It is in a call that JavaScript cannot interrupt (`execSync`, the read of a pipe). When that returns it ends, and runs nothing more. */
  #giveUp(): void {
    stuck.add(this)
    living.delete(this)
    const detail = 'The thread was ended within a call that does not return.'
    this.#end({ detail, reason: 'EXECUTOR_THREAD_LOST', isStuck: true })
  }

  #end(exit: Omit<HostExit, 'thrown'>): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#killing)
    for (;;) {
      const last = receiveMessageOnPort(this.#port)
      if (last === undefined) break
      this.#listener.onMessage(last.message)
    }
    this.#port.close()
    this.#listener.onExit({ ...exit, ...this.#fault, thrown: this.#fault !== undefined })
  }
}

/** Those that were given up. */
const stuck = new Set<ThreadHost>()
/** Those that were not given up, and have not ended. */
const living = new Set<ThreadHost>()
/** Of a process that a signal ends, the second one too. */
const ASKED: readonly number[] = [0, 130]

/**
 * An exit would wait for each thread that is in a call that no JavaScript can interrupt, and take no signal meanwhile: nothing but a signal ends a
 * process with one. Which of those with attempts are in such a call nobody knows.
 */
process.on('exit', (code) => {
  const isHeld = stuck.size > 0 || [...living].some(({ claims }) => claims.isGiven)
  if (!isHeld) return
  process.removeAllListeners('SIGTERM')
  process.kill(process.pid, ASKED.includes(code) ? 'SIGTERM' : 'SIGKILL')
})

function limitsOf(heapBytesMax: number | undefined): ResourceLimits {
  if (heapBytesMax === undefined) return {}
  const maxOldGenerationSizeMb = Math.ceil(heapBytesMax / 2 ** 20)
  return { maxOldGenerationSizeMb, maxYoungGenerationSizeMb: YOUNG_MIB_MAX }
}

/** Handlers act with the rights of the job's owner; the executor's own token is none of theirs. */
function handlerEnvironment(): NodeJS.ProcessEnv {
  const { OFFSTAGE_TOKEN: _token, OFFSTAGE_TOKEN_FILE: _file, ...env } = process.env
  return env
}

/** What a handler has thrown need not be an Error, nor an Error what it was made as. */
function faultOf(error: unknown): Omit<HostExit, 'thrown'> {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  const reason = code === OUT_OF_MEMORY ? 'OUT_OF_MEMORY' : 'EXECUTOR_THREAD_LOST'
  const { detail } = faultFromThrown(error)
  return { detail: typeof code === 'string' ? `${code}: ${detail}` : detail, reason }
}
