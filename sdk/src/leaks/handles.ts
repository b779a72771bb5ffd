/**
 * Timers and sockets that code makes, as `async_hooks` tells of them; servers, requests, workers and child processes, of which channels of Node tell.
 * Nothing of it costs anything while it is off.
 */
import { type AsyncHook, createHook } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type Made, made } from './place.ts'
import { quietly } from './quietly.ts'
import { type Candidate, runLeaks } from './run-leaks.ts'

type Resource = Readonly<Record<string, unknown>>
type HandleKind = 'timer' | 'socket' | 'file'

/** How it is seen that a handle is open. What is not named here is looked after by what is. */
const HANDLES: Readonly<
  Record<string, { readonly kind: HandleKind; readonly isOpen: (handle: Resource) => boolean }>
> = {
  Timeout: { kind: 'timer', isOpen: ({ _destroyed }) => _destroyed !== true },
  TCPWRAP: { kind: 'socket', isOpen: isOpenSocket },
  PIPEWRAP: { kind: 'socket', isOpen: isOpenSocket },
  UDPWRAP: { kind: 'socket', isOpen: () => true },
  FSEVENTWRAP: { kind: 'file', isOpen: ({ initialized }) => initialized === true },
}

interface Channel {
  readonly channel: string
  readonly kind: Candidate['kind']
  /** Which part of what it tells is made. */
  readonly of: string
  readonly isOpen: (made: Resource) => boolean
}

/** Who tells of what is made while the code that makes it is called. Handles of servers, for one, are made later, by nobody's code. */
const CHANNELS: readonly Channel[] = [
  {
    channel: 'tracing:net.server.listen:asyncStart',
    ...{ kind: 'socket', of: 'server', isOpen: ({ listening }) => listening === true },
  },
  // What has ended has no number.
  {
    channel: 'worker_threads',
    kind: 'worker',
    of: 'worker',
    isOpen: ({ threadId }) => threadId !== -1,
  },
  {
    channel: 'child_process',
    ...{ kind: 'process', of: 'process' },
    isOpen: ({ pid, exitCode, signalCode }) =>
      pid !== undefined && exitCode === null && signalCode === null,
  },
  {
    channel: 'http.client.request.created',
    ...{ kind: 'request', of: 'request', isOpen: ({ destroyed }) => destroyed !== true },
  },
  {
    channel: 'undici:request:create',
    ...{ kind: 'request', of: 'request' },
    isOpen: ({ completed, aborted }) => completed !== true && aborted !== true,
  },
]

/** What async_hooks has told of. */
class Handle implements Candidate {
  readonly kind: HandleKind
  readonly made: Made
  readonly #of: Set<Candidate>
  readonly #looksOpen: () => boolean
  #isGone = false

  constructor(kind: HandleKind, at: Made, of: Set<Candidate>, looksOpen: () => boolean) {
    this.kind = kind
    this.made = at
    this.#of = of
    this.#looksOpen = looksOpen
    of.add(this)
  }

  isOpen(): boolean {
    return !this.#isGone && this.#looksOpen()
  }

  gone(): void {
    this.#isGone = true
    this.#of.delete(this)
  }
}

export class Handles {
  readonly #followed = new Map<number, Handle>()
  readonly #hook: AsyncHook
  readonly #channels = CHANNELS.map(({ channel, kind, of, isOpen }) => {
    const listener = (message: unknown) => {
      const tracked = runLeaks()?.tracked
      if (tracked === undefined) return
      quietly(() => {
        const told = Reflect.get(message as object, of) as Resource
        const candidate = { kind, made: made(listener), isOpen: openness(told, isOpen) }
        tracked.candidates.add(candidate)
      })
    }
    return [channel, listener] as const
  })

  constructor() {
    const init = (id: number, type: string, _trigger: number, resource: object) => {
      const how = HANDLES[type]
      if (how === undefined) return
      const of = runLeaks()?.tracked
      if (of === undefined || of.isFull) return
      quietly(() => {
        const isOpen = openness(resource as Resource, how.isOpen)
        this.#followed.set(id, new Handle(how.kind, made(init), of.candidates, isOpen))
      })
    }
    this.#hook = createHook({
      init,
      destroy: (id) => quietly(() => this.#forget(id)),
      trackPromises: false,
    })
  }

  start(): void {
    this.#hook.enable()
    for (const [channel, listener] of this.#channels) subscribe(channel, listener)
  }

  stop(): void {
    this.#hook.disable()
    for (const [channel, listener] of this.#channels) unsubscribe(channel, listener)
    this.#followed.clear()
  }

  #forget(id: number): void {
    this.#followed.get(id)?.gone()
    this.#followed.delete(id)
  }
}

/** One that nobody holds any more is not open. */
function openness(handle: Resource, isOpen: (handle: Resource) => boolean): () => boolean {
  const held = new WeakRef(handle)
  return () => {
    const there = held.deref()
    return there !== undefined && isOpen(there)
  }
}

/**
 * The socket or watcher that a handle belongs to, by a name that is Node's own: were it another, what is closed late would be told of, and a
 * test would fail.
 */
function ownerOf(handle: object): Resource | undefined {
  const symbols = Object.getOwnPropertySymbols(handle)
  const symbol = symbols.find(({ description }) => description === 'owner_symbol')
  return symbol && (Reflect.get(handle, symbol) as Resource | undefined)
}

function isOpenSocket(handle: Resource): boolean {
  const owner = ownerOf(handle)
  if (owner === undefined) return true
  if (owner.destroyed === true) return false
  // Behind TLS its owner has it by another one.
  const own = owner._handle as Resource | null | undefined
  return own === handle || own?._parent === handle
}
