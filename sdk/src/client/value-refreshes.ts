/**
 * Refreshes of reusable values between this process and the others of the namespace (row C6): said to the scheduler by calls, heard
 * of it over one WatchRefreshes stream, which is open while somebody listens.
 *
 * 1. What was refreshed after the last epoch heard is told when the stream is open again, however long that took.
 * 2. Before the first epoch is known nobody can tell what was missed: with it all is refreshed.
 * 3. A stream that says nothing for {@link SILENCE_MS} is given up for another.
 * 4. What is refreshed while a call is under way goes with the next one, each scope once.
 * 5. Others may hear of what this client has refreshed before it hears of that itself: it knows the epoch from the answer.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import { textFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { callServerStream, OffstageError } from '../grpc/mod.ts'
import type { RefreshMessage, RefreshPort, RefreshScope } from '../values/refresh.ts'
import type { Calls } from './calls.ts'
import { isTokenRefused } from './credential.ts'

/** The scheduler says how things stand every 5 s or so. */
const SILENCE_MS = 15_000
const REOPEN_FIRST_MS = 100
const REOPEN_MS_MAX = 5_000
/** No store's. */
const ORIGIN = 'namespace'
/** What asking again does not change: whoever waits for the first epoch is told. */
const FINAL: readonly status[] = [
  status.PERMISSION_DENIED,
  status.UNIMPLEMENTED,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
]

type Receive = (message: RefreshMessage) => void

export class ValueRefreshes implements RefreshPort {
  readonly #calls: Calls
  readonly #receivers = new Set<Receive>()
  readonly #reached = Promise.withResolvers<void>()
  #epoch: number | undefined
  /** The last one in which a refresh of its own was recorded. */
  #saidEpoch = 0
  #listening: AbortController | undefined
  #unsaid = new Map<string, RefreshScope>()
  #saying: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(calls: Calls) {
    this.#calls = calls
    this.#reached.promise.catch(() => {
      // Told to those who wait for it.
    })
  }

  /** The last epoch of the namespace whose refreshes were passed on; undefined before the first. */
  get epoch(): number | undefined {
    return this.#epoch
  }

  /** Up to which it knows of refreshes, its own among them, passed on or not; 0 where it knows of none. */
  get knownEpoch(): number {
    return Math.max(this.#epoch ?? 0, this.#saidEpoch)
  }

  /** Resolves once refreshes are heard; rejects where the scheduler lets nobody hear them. */
  get reached(): Promise<void> {
    return this.#reached.promise
  }

  async publish({ scope }: RefreshMessage): Promise<void> {
    const sent = sentScope(scope)
    this.#unsaid.set(JSON.stringify(sent), sent)
    // A call that is under way may have been recorded before this was asked for.
    this.#next ??= (this.#saying ?? Promise.resolve()).catch(() => {}).then(() => this.#say())
    await this.#next
  }

  subscribe(receive: Receive): Disposable {
    const receiver: Receive = (message) => receive(message)
    this.#receivers.add(receiver)
    // What it has missed so far was told to others.
    if (this.#epoch !== undefined) receiver({ origin: ORIGIN, scope: { kind: 'all' } })
    if (this.#listening === undefined) {
      this.#listening = new AbortController()
      void this.#listen(this.#listening.signal)
    }
    return {
      [Symbol.dispose]: () => {
        if (this.#receivers.delete(receiver) && this.#receivers.size === 0) this.close()
      },
    }
  }

  async reach(epoch: number): Promise<void> {
    if (this.#epoch !== undefined && this.#epoch >= epoch) return
    const { namespaces } = this.#calls.connection
    const { namespace } = this.#calls.identity
    const request = { namespace, afterEpoch: BigInt(this.#epoch ?? 0) }
    this.#hear(await this.#calls.callScheduler(namespaces.listRefreshes.bind(namespaces), request))
  }

  /** Ends the stream. Whoever subscribes next is told of what was missed. */
  close(): void {
    this.#listening?.abort()
    this.#listening = undefined
  }

  #say(): Promise<void> {
    this.#saying = this.#next
    this.#next = undefined
    const unsaid = [...this.#unsaid.values()]
    this.#unsaid = new Map()
    return this.#send(unsaid)
  }

  async #send(unsaid: readonly RefreshScope[]): Promise<void> {
    const { namespaces } = this.#calls.connection
    const { namespace } = this.#calls.identity
    for (let from = 0; from < unsaid.length; from += LIMITS.refreshScopesMax) {
      const scopes = unsaid.slice(from, from + LIMITS.refreshScopesMax).map(scopeTo)
      const request = { namespace, scopes }
      const call = namespaces.refreshValues.bind(namespaces)
      const { epoch } = await this.#calls.callScheduler(call, request)
      this.#saidEpoch = Math.max(this.#saidEpoch, Number(epoch))
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures = Math.min(failures + 1, 16)) {
      try {
        for await (const news of this.#open(signal)) {
          failures = 0
          this.#hear(news)
        }
      } catch (error) {
        if (error instanceof OffstageError && FINAL.includes(error.code)) {
          this.#reached.reject(error)
        }
      }
      const boundMs = Math.min(REOPEN_MS_MAX, REOPEN_FIRST_MS * 2 ** failures)
      const delayMs = boundMs * (0.5 + Math.random() / 2)
      await pause(delayMs, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  async *#open(signal: AbortSignal): AsyncGenerator<proto.WatchRefreshesResponse> {
    const { connection, identity, clock } = this.#calls
    const { namespaces, scheduler } = connection
    const { credential, namespace } = identity
    const silent = new AbortController()
    const ending = AbortSignal.any([signal, silent.signal])
    const giveUp = () => silent.abort(new Error('the scheduler says nothing'))
    let timer = clock.startTimer(giveUp, SILENCE_MS, false)
    const metadata = await credential.metadata()
    const request = { namespace, afterEpoch: BigInt(this.#epoch ?? 0) }
    const call = namespaces.watchRefreshes.bind(namespaces)
    const options = { metadata, signal: ending, target: scheduler }
    try {
      for await (const news of callServerStream(call, request, options)) {
        timer.cancel()
        timer = clock.startTimer(giveUp, SILENCE_MS, false)
        yield news
      }
    } catch (error) {
      // Whether there is another one shows when the stream is opened again.
      if (isTokenRefused(error)) await credential.afterRefusal(metadata).catch(() => undefined)
      throw error
    } finally {
      timer.cancel()
    }
  }

  #hear({ epoch, all, refreshes }: proto.WatchRefreshesResponse): void {
    const isFirst = this.#epoch === undefined
    // One that was asked for may come before what the stream has under way.
    if (!all && this.#epoch !== undefined && Number(epoch) < this.#epoch) return
    // Another database, or an older state of it.
    if (this.#epoch !== undefined && Number(epoch) < this.#epoch) this.#saidEpoch = 0
    if (all || isFirst) this.#pass({ kind: 'all' })
    else for (const { scope } of refreshes) if (scope !== undefined) this.#pass(scopeFrom(scope))
    this.#epoch = Number(epoch)
    this.#reached.resolve()
  }

  #pass(scope: RefreshScope): void {
    for (const receive of this.#receivers) receive({ origin: ORIGIN, scope })
  }
}

/** What is said to the scheduler: of long parameters the whole function. */
function sentScope(scope: RefreshScope): RefreshScope {
  if (scope.kind === 'all') return scope
  const [part, text, charactersMax] =
    scope.kind === 'tag'
      ? ['the tag', scope.tag, LIMITS.valueTagCharactersMax]
      : ['the name of the function', scope.name, LIMITS.reusableNameCharactersMax]
  const fault = textFault(text, charactersMax)
  if (fault !== undefined) throw new TypeError(`${part} of a refresh ${fault}`)
  if (!text.isWellFormed()) {
    throw new TypeError(
      `${part} of a refresh has half of a character: others would hear of another`,
    )
  }
  const isLong = scope.kind === 'params' && scope.params.length > LIMITS.refreshParamsCharactersMax
  return isLong ? { kind: 'function', name: scope.name } : scope
}

function scopeTo(scope: RefreshScope): proto.RefreshScope {
  const nothing = { function: '', params: undefined, tag: '' }
  switch (scope.kind) {
    case 'all':
      return nothing
    case 'tag':
      return { ...nothing, tag: scope.tag }
    case 'function':
      return { ...nothing, function: scope.name }
    case 'params':
      return { ...nothing, function: scope.name, params: scope.params }
  }
}

function scopeFrom({ function: name, params, tag }: proto.RefreshScope): RefreshScope {
  if (tag !== '') return { kind: 'tag', tag }
  if (name === '') return { kind: 'all' }
  return params === undefined ? { kind: 'function', name } : { kind: 'params', name, params }
}
