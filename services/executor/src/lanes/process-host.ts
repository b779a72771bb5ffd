/**
 * A process of its own as the place where handlers run: a native crash, or whatever else ends it, ends their job alone. It speaks as a
 * thread does, but shares no memory: before it calls a handler it asks.
 *
 * 1. It is given no more of the environment than its names in the configuration, and of the executor's own credentials nothing.
 * 2. It leads a process group, which ends with it: what a handler has started as well.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { ProcessRelay } from '../ports.ts'
import { type Claim, ClaimBoard, HeldClaims } from './claims.ts'
import { PIPE, ProcessPipe } from './process-pipe.ts'
import { processArguments, processEnvironment } from './process-start.ts'
import type { HeldMemory, HostExit, HostListener, RunnerHost } from './runner-host.ts'
import type { ThreadOptions, ThreadOrders } from './thread-messages.ts'

const ENTRY = fileURLToPath(new URL('../run/process.ts', import.meta.url))
/** How long what it has said last may take to arrive. */
const LAST_WORDS_MS = 1_000
const THROWN_CHARACTERS_MAX = 8_000
/** What its relay may hold for a process whose memory has no limit. */
const RELAY_BYTES_MAX = 512 * 2 ** 20
const ERROR_BYTES_MAX = 2 ** 20
/** Of V8 at its end. */
const OUT_OF_MEMORY = 'JavaScript heap out of memory'

/** How processes are started. */
export interface ProcessSettings {
  /** Names of variables they are given beside the usual ones. */
  readonly environment: readonly string[]
  /** Limit of their memory, heap and all; absent: the heap limit of Node. */
  readonly memoryBytesMax: number | undefined
  /** Opens its way to the services; undefined: it dials them. */
  readonly openRelay?: (() => ProcessRelay) | undefined
}

export interface ProcessHostSettings extends ProcessSettings {
  readonly options: ThreadOptions
}

export class ProcessHost implements RunnerHost {
  readonly claims = new ClaimBoard()
  readonly #held = new HeldClaims(this.claims.memory)
  readonly #child: ChildProcess
  readonly #pipe: ProcessPipe
  readonly #memoryBytesMax: number | undefined
  readonly #relay: ProcessRelay | undefined
  #thrown: string | undefined
  /** Why it was not listened to any longer. */
  #refused: string | undefined
  #isOutOfMemory = false
  #isCut = false

  constructor(settings: ProcessHostSettings, listener: HostListener) {
    const { options, environment, memoryBytesMax, openRelay } = settings
    this.#memoryBytesMax = memoryBytesMax
    this.#relay = openRelay?.()
    this.#child = spawn(
      process.execPath,
      [...processArguments(memoryBytesMax), ENTRY, `${process.pid}`],
      {
        stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
        detached: true,
        env: processEnvironment(environment),
      },
    )
    const stream = this.#child.stdio[PIPE] as Duplex
    this.#pipe = new ProcessPipe(stream, {
      onMessage: (heard) => this.#hear(heard, listener),
      onUnreadable: (what) => this.#endFor(`The process said ${what}, and was ended.`),
    })
    stream.once('close', () => this.#endCut())
    this.#child.on('error', (error) => {
      this.#thrown ??= error.message
    })
    this.#passOnErrors()
    const ways = this.#relay
      ? { ...this.#relay.places, tls: undefined }
      : { tls: tlsFor(options.tls) }
    this.#send({ kind: 'options', options: { ...options, ...ways } })
    void this.#end(listener)
  }

  post(orders: ThreadOrders): void {
    this.#send({ kind: 'orders', orders })
  }

  /** With what its relay holds for it. */
  async memory(): Promise<HeldMemory | undefined> {
    const limitBytes = this.#memoryBytesMax
    const relayBytes = await this.#relay?.memoryBytes()
    const limited = { holder: 'process', limitedBy: 'OFFSTAGE_EXECUTOR_PROCESS_MEMORY' } as const
    if (limitBytes === undefined) {
      if (relayBytes === undefined) return undefined
      return { usedBytes: relayBytes, limitBytes: RELAY_BYTES_MAX, ...limited }
    }
    const { pid } = this.#child
    const ownBytes = pid === undefined ? undefined : await residentBytes(pid)
    if (ownBytes === undefined) return undefined
    return { usedBytes: ownBytes + (relayBytes ?? 0), limitBytes, ...limited }
  }

  kill(): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // Nobody is left of the group, or the system has none.
      this.#child.kill('SIGKILL')
    }
  }

  /** What concerns claims is answered here; the rest is read as that of any runner. */
  #hear(heard: unknown, listener: HostListener): void {
    const { kind, claim, detail } = (heard ?? {}) as Record<string, unknown>
    if (kind === 'taken') this.#held.take()
    else if (kind === 'begin' && isClaim(claim)) {
      this.#send({ kind: 'begun', claim, isBegun: this.#held.begin(claim) })
    } else if (kind === 'throwing' && typeof detail === 'string') {
      this.#thrown = detail.slice(0, THROWN_CHARACTERS_MAX)
    } else listener.onMessage(heard)
  }

  #send(message: ProcessMessage): void {
    // That it has ended is told by its exit.
    this.#pipe.send(message)
  }

  /** What it writes for people, so much of it in a second: it waits with the rest. */
  #passOnErrors(): void {
    const { stderr } = this.#child
    let written = 0
    let sinceMs = performance.now()
    stderr?.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk)
      this.#isOutOfMemory ||= chunk.includes(OUT_OF_MEMORY)
      if (performance.now() - sinceMs > 1_000) {
        written = 0
        sinceMs = performance.now()
      }
      written += chunk.length
      if (written < ERROR_BYTES_MAX) return
      stderr.pause()
      setTimeout(() => stderr.resume(), 1_000).unref()
    })
  }

  #endFor(detail: string): void {
    this.#refused = detail
    this.kill()
  }

  /** Nothing can be said or heard any more, of which its end is the usual cause. */
  #endCut(): void {
    const timer = setTimeout(() => {
      this.#isCut = true
      this.kill()
    }, LAST_WORDS_MS)
    this.#child.once('exit', () => clearTimeout(timer))
  }

  async #end(listener: HostListener): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#child.once('close', () => resolve()))
    const exited = Promise.withResolvers<string>()
    this.#child.once('exit', (code, signal) => {
      exited.resolve(signal === null ? `exited with code ${code}` : `was ended by ${signal}`)
    })
    // One that cannot be started has no exit.
    void closed.then(() => exited.resolve('could not be started'))
    const how = await exited.promise
    this.kill()
    const late = new Promise<void>((resolve) => setTimeout(resolve, LAST_WORDS_MS).unref())
    await Promise.race([closed, late])
    this.#pipe.close()
    void this.#relay?.close()
    listener.onExit(this.#exitOf(how))
  }

  #exitOf(how: string): HostExit {
    if (this.#isOutOfMemory) {
      const detail = `The process ${how}: its heap was full.`
      return { detail, reason: 'OUT_OF_MEMORY', thrown: false }
    }
    const thrown = this.#refused === undefined && this.#thrown !== undefined
    const ended = this.#isCut ? 'closed its connection to the executor, and was ended' : how
    const detail = this.#refused ?? this.#thrown ?? `The process ${ended}.`
    return { detail, reason: 'EXECUTOR_PROCESS_LOST', thrown }
  }
}

/** To a process of handlers, beside the orders that a thread gets. */
export type ProcessMessage =
  | { readonly kind: 'options'; readonly options: ThreadOptions }
  | { readonly kind: 'orders'; readonly orders: ThreadOrders }
  /** Answers the question whether a handler is to be called. */
  | { readonly kind: 'begun'; readonly claim: number; readonly isBegun: boolean }

/** From a process of handlers, beside what a thread says. */
export type ProcessWord =
  | { readonly kind: 'taken' }
  | { readonly kind: 'begin'; readonly claim: number }
  /** It ends by what nobody has caught. */
  | { readonly kind: 'throwing'; readonly detail: string }

/** By whom servers are known; by what the executor is known is not for handlers. */
function tlsFor(tls: ThreadOptions['tls']): ThreadOptions['tls'] {
  return tls && { ca: tls.ca, reloadMs: tls.reloadMs }
}

function isClaim(value: unknown): value is Claim {
  return Number.isSafeInteger(value) && Number(value) > 0
}

/** As the kernel counts; undefined where it does not say. */
async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? []
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}
