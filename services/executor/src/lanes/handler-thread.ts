/**
 * One worker thread that loads the job modules once and runs attempts: the only place where user
 * code runs. The main thread keeps gRPC and supervision, so nothing a handler does can hold up a
 * heartbeat or a cancel.
 *
 * 1. Orders are gathered and sent as one message per turn of the event loop.
 * 2. Whatever the thread said before it ended is delivered before `onEnded`, once.
 * 3. After `onEnded` the thread is silent.
 */

import { type ResourceLimits, Worker } from 'node:worker_threads'
import type { AttemptKey, AttemptOrder } from '../domain/attempt.ts'
import type { MethodAnnouncement } from '../domain/method.ts'
import type {
  StopOrder,
  ThreadMessage,
  ThreadOptions,
  ThreadOrders,
  ThreadReports,
} from './thread-messages.ts'

/** How a thread came to its end. */
export type ThreadEnd =
  | { readonly kind: 'terminated' }
  /** By itself: an uncaught error, a process.exit, memory; the text says which. */
  | { readonly kind: 'lost'; readonly detail: string }

export interface ThreadSettings extends ThreadOptions {
  /** Names the thread for debuggers. */
  readonly name: string
  /**
   * Limit of the thread's heap; absent: that of Node. Over it the thread ends, or, where V8 cannot
   * stop it in time, the process: then the scheduler counts a crash.
   */
  readonly heapBytesMax?: number
}

export interface ThreadListener {
  onReports(thread: HandlerThread, reports: ThreadReports): void
  onEnded(thread: HandlerThread, end: ThreadEnd): void
}

const ENTRY = new URL('../run/thread.ts', import.meta.url)

export class HandlerThread {
  /** The attempts it was given that have not ended; kept by the lane. */
  readonly attempts = new Set<AttemptKey>()
  /** The methods its modules define; rejects when they cannot be loaded or the thread ends before. */
  readonly ready: Promise<readonly MethodAnnouncement[]>
  readonly #worker: Worker
  readonly #ready = Promise.withResolvers<readonly MethodAnnouncement[]>()
  readonly #exited = Promise.withResolvers<void>()
  #orders: { attempts: AttemptOrder[]; stops: StopOrder[] } | undefined
  #fault: string | undefined
  #ending = false

  constructor(settings: ThreadSettings, listener: ThreadListener) {
    const { name, heapBytesMax, ...workerData } = settings
    this.ready = this.#ready.promise
    this.ready.catch(() => {
      // Told to the lane by onEnded as well; only the first thread of an executor is waited for.
    })
    this.#worker = new Worker(ENTRY, {
      name,
      workerData: workerData satisfies ThreadOptions,
      env: handlerEnvironment(),
      resourceLimits: limitsOf(heapBytesMax),
    })
    this.#worker.on('message', (message: ThreadMessage) => this.#hear(message, listener))
    this.#worker.on('error', (error) => {
      this.#fault ??= textOf(error)
    })
    this.#worker.on('exit', (code) => this.#end(code, listener))
  }

  /** False once the thread is to end: give it nothing more. */
  get usable(): boolean {
    return !this.#ending
  }

  run(order: AttemptOrder): void {
    this.#gather().attempts.push(order)
  }

  stop(order: StopOrder): void {
    this.#gather().stops.push(order)
  }

  /** Ends the thread whatever it is doing, busy loops included. */
  async terminate(): Promise<void> {
    this.#ending = true
    await this.#worker.terminate()
    await this.#exited.promise
  }

  /** Lets an idle thread end by itself, by force after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    if (!this.#ending) {
      this.#ending = true
      this.#worker.postMessage({ attempts: [], stops: [], close: true } satisfies ThreadOrders)
    }
    const timer = setTimeout(() => void this.#worker.terminate(), graceMs)
    await this.#exited.promise
    clearTimeout(timer)
  }

  #gather(): { attempts: AttemptOrder[]; stops: StopOrder[] } {
    if (this.#orders === undefined) {
      this.#orders = { attempts: [], stops: [] }
      queueMicrotask(() => {
        this.#worker.postMessage(this.#orders)
        this.#orders = undefined
      })
    }
    return this.#orders
  }

  #hear(message: ThreadMessage, listener: ThreadListener): void {
    switch (message.kind) {
      case 'ready':
        this.#ready.resolve(message.methods)
        break
      case 'unusable':
        this.#ending = true
        this.#fault = message.detail
        break
      case 'reports':
        listener.onReports(this, message.reports)
        break
    }
  }

  #end(code: number, listener: ThreadListener): void {
    const asked = this.#ending && this.#fault === undefined
    this.#ending = true
    const detail =
      this.#fault ?? `The thread exited with code ${code} (process.exit in a handler?).`
    this.#ready.reject(new Error(detail))
    this.#exited.resolve()
    listener.onEnded(this, asked ? { kind: 'terminated' } : { kind: 'lost', detail })
  }
}

function limitsOf(heapBytesMax: number | undefined): ResourceLimits {
  if (heapBytesMax === undefined) return {}
  return { maxOldGenerationSizeMb: Math.ceil(heapBytesMax / 2 ** 20) }
}

/** Handlers act with the rights of the job's owner; the executor's own token is none of theirs. */
function handlerEnvironment(): NodeJS.ProcessEnv {
  const { OFFSTAGE_TOKEN: _, ...env } = process.env
  return env
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return `The thread threw ${String(error)}.`
  const code = (error as NodeJS.ErrnoException).code
  return code === undefined ? (error.stack ?? error.message) : `${code}: ${error.stack ?? ''}`
}
