/**
 * From a start to a job's end: what begins here, what is queued and claimed, what comes back. The parts are wired to each
 * other here; the rest of the scheduler sees this face.
 *
 *   starts ──insert──► deliver ──► executors' slots        changes: what follows when a job changes its state
 *      └─ queued ─► backlog ─announces─► claims ─► deliver      │
 *   results ─► ends ─► changes ─► backlog, feed, events ◄───────┘
 */
import { composeServices, createService, type Service } from '@offstage/kit/lifecycle'
import type { Logger } from '@offstage/kit/telemetry'
import { type Admission, createAdmission } from '../admission/admission.ts'
import type { AttemptKey, UnreadableJob } from '../domain/held-job.ts'
import { createHints } from '../events/hints.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { Attachments } from '../executors/attachments.ts'
import type { Intake } from '../executors/intake.ts'
import type { Methods } from '../executors/methods.ts'
import type { SchedulerStores } from '../ports/stores.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { Backlog } from './backlog.ts'
import { createChanges } from './changes.ts'
import { createClaims } from './claims.ts'
import { createDeliver } from './deliver.ts'
import { createEnds } from './ends.ts'
import { LimitedClaims } from './limited-claims.ts'
import { createPace } from './pace.ts'
import { createParents } from './parents.ts'
import { createStarts, type Starts } from './starts.ts'

export interface DispatchOptions {
  readonly stores: Pick<SchedulerStores, 'calls' | 'work' | 'workGates' | 'pace' | 'parents'>
  readonly attachments: Attachments
  readonly methods: Pick<Methods, 'peek' | 'find'>
  readonly feed: JobFeed
  readonly events: JobEvents
  readonly claimSweepMs: number
  readonly newId: () => string
  readonly log: Logger
  onError(error: unknown): void
}

/** Started and stopped, it claims queued jobs. */
export interface Dispatch extends Service, Intake {
  readonly starts: Starts
  /** The limits of a method; undefined where it is known to have none. */
  readonly limitsOf: Admission['limitsOf']
  /** Somebody says that jobs of a method were queued, true or not. */
  heard(namespace: string, method: string): void
  /** Ends parents that have nothing left to wait for, though nobody was told of it. */
  endParents(): Promise<void>
  /** Calls the listener whenever a key has become free. */
  onKeyFreed(listener: () => void): void
}

/** Shorter samples would tell of single jobs. */
const PACE_MS = 2_500

export function createDispatch(options: DispatchOptions): Dispatch {
  const { stores, attachments, feed, events, log, onError } = options
  const backlog = new Backlog({
    events,
    poolsOf: (namespace, method) => attachments.poolsOf(namespace, method),
  })
  const lookFor = (namespace: string, methods: Iterable<string>) => {
    for (const method of methods) backlog.add({ namespace, method })
  }
  const keyListeners: (() => void)[] = []
  const keyFreed = () => {
    for (const listener of keyListeners) listener()
  }
  const isAwaited = (namespace: string, method: string) =>
    admission.limitsOf(namespace, method) !== undefined && limited.isAwaited(namespace, method)
  const lookAtParents = (ids: readonly string[]) => parents.look(ids)
  const changed = createChanges({ feed, events, backlog, isAwaited, keyFreed, lookAtParents })
  const parents = createParents({ store: stores.parents, changed, onError })
  const ends = createEnds({ store: stores.work, changed, onError })
  const requeue = (attempts: readonly AttemptKey[]) => ends.requeue(attempts).catch(onError)
  const failUnreadable = (jobs: readonly UnreadableJob[]) => {
    ends.failUnreadable(jobs).catch(onError)
  }
  const admission = createAdmission({
    gates: stores.workGates,
    events,
    everyMs: options.claimSweepMs,
    opened(namespace, method) {
      if (method !== undefined) limited.changed(namespace, method)
      lookFor(namespace, method === undefined ? attachments.methodsIn(namespace) : [method])
    },
    onError,
  })
  const limited = new LimitedClaims({
    store: stores.work,
    backlog,
    serves: (namespace, method) => attachments.serves(namespace, method),
  })
  const timers = createService({
    name: 'looks at limited methods',
    start: async () => {},
    stop: async () => limited.stop(),
  })
  const deliver = createDeliver({ attachments, log })
  const shared = { attachments, admission, backlog, deliver, unsent: requeue, onError }
  const pace = createPace({
    store: stores.pace,
    scheduler: options.newId(),
    everyMs: PACE_MS,
    onError,
  })
  const claims = createClaims({
    ...shared,
    limited,
    failUnreadable,
    pace,
    methods: options.methods,
    store: stores.work,
    sweepMs: options.claimSweepMs,
  })
  const starts = createStarts({ ...shared, limited, store: stores.calls, newId: options.newId })
  const heard = (namespace: string, method: string) => {
    // Of others there may be any number, true or forged; whoever attaches with one looks for its jobs.
    if (!attachments.serves(namespace, method)) return
    limited.placeFreed(namespace, method)
    lookFor(namespace, [method])
  }
  const hints = createHints('queue hints', () =>
    // What is said here is known here, and better.
    events.onQueueReady((namespace, method, isOwn) => isOwn || heard(namespace, method)),
  )
  const service = composeServices('dispatch', [
    hints,
    admission,
    timers,
    parents,
    pace.loop,
    claims,
  ])
  return {
    ...service,
    starts,
    record: ends.record,
    requeue,
    failUnreadable,
    changed,
    lookFor,
    heard,
    endParents: parents.sweep,
    limitsOf: admission.limitsOf,
    gatesChanged(namespace) {
      events.gatesChanged(namespace)
      return admission.reread()
    },
    slotsFreed(credits) {
      if (credits.some(({ lane }) => backlog.fills(lane))) claims.wake()
    },
    onKeyFreed: (listener) => void keyListeners.push(listener),
  }
}
