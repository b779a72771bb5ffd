/**
 * The gates as this replica knows them: what a start is asked about before it is placed.
 *
 * Hints say that gates have changed, here or elsewhere; behind them they are read anew at every period (guarantee 4). What is known here
 * may be old: a start placed by it says by which epoch, and the statement that records the start does not let it begin where there
 * is another by then. Claims ask the database alone.
 *
 * Invariants:
 *  1. What is known is all of one epoch.
 *  2. While no gate is closed, asking costs a comparison.
 *  3. Whatever opens, or may have, is told once to `opened`, so that what waited behind it is claimed.
 */
import type { Subscription } from '@offstage/kit/bus'
import { createLoop, createService, type Service } from '@offstage/kit/lifecycle'
import type { Gate } from '../domain/gate.ts'
import type { LimitsOfMethod } from '../domain/method-limit.ts'
import { withoutVersion } from '../domain/pool.ts'
import { queueKey } from '../domain/queue-key.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { ClosedGates, GateStore } from '../ports/namespaces.ts'

export interface AdmissionOptions {
  readonly gates: GateStore
  readonly events: JobEvents
  readonly everyMs: number
  /** Gates have opened: of a method, or of a whole namespace or one of its pools. */
  opened(namespace: string, method: string | undefined): void
  onError(error: unknown): void
}

export interface Admission extends Service {
  /** Of the gates that are known. */
  readonly epoch: number
  /** What holds back the jobs of a method in a pool; undefined where nothing is known to. */
  pauseOf(
    namespace: string,
    method: string,
    pool: string,
  ): Extract<Gate, { cause: 'paused' }> | undefined
  /** Whether somebody is known to have the namespace exclusively, or is about to: what begins there is claimed. */
  isExclusive(namespace: string): boolean
  /** The limits of a method; undefined where it is known to have none. */
  limitsOf(namespace: string, method: string): LimitsOfMethod | undefined
  /** The gates are known to have changed: they are read at once. */
  refresh(): void
  /** Resolves when they have been read anew, or could not be. */
  reread(): Promise<void>
}

const PAUSED = { cause: 'paused', pause: undefined } as const

interface Known {
  readonly epoch: number
  readonly namespaces: ReadonlySet<string>
  readonly pools: ReadonlySet<string>
  readonly methods: ReadonlySet<string>
  readonly exclusive: ReadonlySet<string>
  readonly limits: ReadonlyMap<string, LimitsOfMethod>
  readonly closed: ClosedGates
}

/** Before the first reading: no epoch is this one, so nothing begins by it. */
const NOTHING_KNOWN = knownFrom({
  epoch: 0,
  namespaces: [],
  pools: [],
  methods: [],
  exclusive: [],
  limits: [],
})

export function createAdmission(options: AdmissionOptions): Admission {
  let known = NOTHING_KNOWN
  let subscription: Subscription | undefined
  const read = async () => {
    const before = known
    const now = knownFrom(await options.gates.read())
    // Two may read at a time, and the later one come first.
    if (now.epoch < known.epoch) return
    known = now
    if (known.epoch !== before.epoch) tellOpened(before, known, options.opened)
    tellExclusive(before, known, options.opened)
  }
  const loop = createLoop({
    name: 'gates',
    everyMs: options.everyMs,
    timeoutMs: 30_000,
    run: read,
    onError: options.onError,
  })
  const service = createService({
    name: 'admission',
    async start() {
      subscription = options.events.onGatesChanged(loop.wake)
      await read().catch(options.onError)
      await loop.start()
    },
    async stop() {
      subscription?.unsubscribe()
      await loop.stop()
    },
  })
  return {
    ...service,
    get epoch() {
      return known.epoch
    },
    pauseOf: (namespace, method, pool) =>
      isClosed(known, namespace, method) || isPoolClosed(known, namespace, pool)
        ? PAUSED
        : undefined,
    isExclusive: (namespace) => known.exclusive.size > 0 && known.exclusive.has(namespace),
    limitsOf: (namespace, method) =>
      known.limits.size === 0 ? undefined : known.limits.get(queueKey(namespace, method)),
    refresh: loop.wake,
    reread: () => read().catch(options.onError),
  }
}

function knownFrom(closed: ClosedGates): Known {
  const { epoch, namespaces } = closed
  const methods = closed.methods.map(({ namespace, method }) => queueKey(namespace, method))
  const pools = closed.pools.map(({ namespace, pool }) => queueKey(namespace, pool))
  const limits = new Map(
    closed.limits.map((of) => [queueKey(of.namespace, of.method), of] as const),
  )
  return {
    epoch,
    namespaces: new Set(namespaces),
    pools: new Set(pools),
    methods: new Set(methods),
    exclusive: new Set(closed.exclusive),
    limits,
    closed,
  }
}

function isClosed({ namespaces, methods }: Known, namespace: string, method: string): boolean {
  return (
    (namespaces.size > 0 && namespaces.has(namespace)) ||
    (methods.size > 0 && methods.has(queueKey(namespace, method)))
  )
}

function isPoolClosed({ pools }: Known, namespace: string, pool: string): boolean {
  return pools.size > 0 && pools.has(queueKey(namespace, withoutVersion(pool)))
}

/** What had to wait may begin: that of others where nobody has it any more, and that of whoever has it. A lease that has run out changes no gate. */
function tellExclusive(before: Known, now: Known, opened: AdmissionOptions['opened']): void {
  for (const namespace of [...before.exclusive, ...now.exclusive]) {
    const has = now.exclusive.has(namespace)
    if (has !== before.exclusive.has(namespace)) opened(namespace, undefined)
  }
}

function tellOpened(before: Known, now: Known, opened: AdmissionOptions['opened']): void {
  for (const namespace of before.namespaces) {
    if (!now.namespaces.has(namespace)) opened(namespace, undefined)
  }
  for (const { namespace, pool } of before.closed.pools) {
    if (!isPoolClosed(now, namespace, pool)) opened(namespace, undefined)
  }
  for (const { namespace, method } of before.closed.methods) {
    if (!isClosed(now, namespace, method)) opened(namespace, method)
  }
  // A limit may have been raised, or taken away.
  for (const { namespace, method } of before.closed.limits) opened(namespace, method)
}
