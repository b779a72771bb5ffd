/**
 * One contract for every background part: started once, stopped once, in whatever order the calls
 * arrive.
 *
 * A service moves only forward: idle → starting → started → stopped, where `stopped` begins with
 * the call of stop and holds the promise of its end. Each state owns what belongs to it.
 *
 * Invariants:
 *  1. `spec.start` runs at most once; `spec.stop` runs at most once, and exactly once if
 *     `spec.start` ran: also after a start that failed or was aborted, so nothing half-started leaks.
 *  2. `spec.stop` never runs beside `spec.start`: it waits until the start has settled.
 *  3. Every call of stop gets the same outcome, and a stop before start has nothing to do.
 */

/** A background part. Stopping it is awaited, idempotent, safe before start; disposing of it stops it. */
export interface Service extends AsyncDisposable {
  /**
   * Resolves when the part is ready for work; calls while it starts or after it has started join
   * the first. Rejects when the start fails, when it is stopped meanwhile, and after a stop.
   */
  start(): Promise<void>
  /** Resolves when everything is released. During a start, aborts it first. */
  stop(): Promise<void>
}

export interface ServiceSpec {
  /** Names the part in errors. */
  readonly name: string
  /** Acquires what the part needs; `signal` aborts when the part is stopped meanwhile. */
  start(signal: AbortSignal): Promise<void>
  /** Releases everything, whatever part of it a failed start had acquired. */
  stop(): Promise<void>
}

/** A start met a service that is stopping or has stopped. */
export class ServiceStoppedError extends Error {
  override readonly name = 'ServiceStoppedError'
  constructor(service: string) {
    super(`${service} was stopped`)
  }
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'starting'; readonly abort: AbortController; readonly ready: Promise<void> }
  | { readonly kind: 'started'; readonly ready: Promise<void> }
  | { readonly kind: 'stopped'; readonly ended: Promise<void> }

/** Makes a service of two functions; see `Service` for what it promises beyond them. */
export function createService(spec: ServiceSpec): Service {
  let state: State = { kind: 'idle' }
  let begun = false

  const start = (): Promise<void> => {
    switch (state.kind) {
      case 'idle': {
        const abort = new AbortController()
        const ready = run(abort)
        state = { kind: 'starting', abort, ready }
        return ready
      }
      case 'starting':
      case 'started':
        return state.ready
      case 'stopped':
        return Promise.reject(new ServiceStoppedError(spec.name))
    }
  }

  async function run(abort: AbortController): Promise<void> {
    // Yields first, so that the state is `starting` before the spec can call back into us.
    await undefined
    try {
      abort.signal.throwIfAborted()
      begun = true
      await spec.start(abort.signal)
    } catch (error) {
      if (abort.signal.aborted) throw abort.signal.reason
      await fail(error)
    }
    // A start that finished although it was told to stop is not ready for work.
    abort.signal.throwIfAborted()
    if (state.kind === 'starting') state = { kind: 'started', ready: state.ready }
  }

  async function release(): Promise<void> {
    if (begun) await spec.stop()
  }

  async function fail(error: unknown): Promise<never> {
    const ended = release()
    ended.catch(() => {
      // Told below, together with the error it followed from.
    })
    state = { kind: 'stopped', ended: ended.catch(() => undefined) }
    const [stopped] = await Promise.allSettled([ended])
    if (stopped.status === 'fulfilled') throw error
    throw new AggregateError([error, stopped.reason], `${spec.name} failed to start and to stop`)
  }

  const stop = (): Promise<void> => {
    switch (state.kind) {
      case 'idle':
        state = { kind: 'stopped', ended: Promise.resolve() }
        break
      case 'starting':
        state.abort.abort(new ServiceStoppedError(spec.name))
        state = { kind: 'stopped', ended: settled(state.ready).then(() => release()) }
        break
      case 'started':
        state = { kind: 'stopped', ended: release() }
        break
      case 'stopped':
        break
    }
    return state.ended
  }

  return { start, stop, [Symbol.asyncDispose]: stop }
}

async function settled(promise: Promise<unknown>): Promise<void> {
  await Promise.allSettled([promise])
}
