/** Having a namespace for oneself (row L10): entered when nothing of others runs, and left by itself where its lease ends. */
import { setTimeout as delay } from 'node:timers/promises'
import type { JobId, LeaseId } from '../domain/ids.ts'
import type { Caller } from '../jobs/caller.ts'
import type { CancelJob } from '../jobs/cancel-job.ts'
import { leaseNotFound } from '../jobs/check-lease.ts'
import type {
  EnterExclusive,
  EnteredExclusive,
  ExclusiveModeStore,
} from '../ports/exclusive-mode.ts'
import { jobNotFound, namespaceExclusive } from '../refusals.ts'
import { namespaceBusy } from './refusals.ts'

export interface ExclusiveModeOptions {
  readonly store: ExclusiveModeStore
  readonly cancelJob: CancelJob
  /** Others are told, and this replica goes by it when it resolves. */
  gatesChanged(namespace: string): Promise<void>
}

export interface AskedExclusive {
  readonly namespace: string
  readonly leaseId: LeaseId
  readonly jobId: JobId | undefined
  readonly timeoutMs: number
  readonly cancelRunning: boolean
}

export interface ExclusiveMode {
  /** Since when the caller has it: nothing of others runs from then on, and none begins. */
  enter(caller: Caller, asked: AskedExclusive, signal: AbortSignal): Promise<Date>
  /** @param leaseId undefined: whoever has it */
  leave(caller: Caller, namespace: string, leaseId: LeaseId | undefined): Promise<void>
}

/** What runs is counted at growing intervals: by the caller's patience, and everybody's work. */
const LOOK_MS = 20
const LOOK_MS_MAX = 1_000
const LOOKS_GROW_BY = 1.4
const PAGE = 1_000
const GRACE_MS = 10_000

export function createExclusiveMode(options: ExclusiveModeOptions): ExclusiveMode {
  const { store, gatesChanged } = options
  const leave = async (caller: Caller, namespace: string, leaseId: LeaseId | undefined) => {
    if (await store.leave(namespace, leaseId, caller)) await gatesChanged(namespace)
  }
  return {
    async enter(caller, request, signal) {
      const { namespace, leaseId, jobId, timeoutMs } = request
      const asked = { namespace, leaseId, jobId, waits: timeoutMs > 0, by: caller }
      const first = await store.enter(asked)
      if (first.kind === 'waiting') {
        try {
          return await waitForOthers(options, caller, request, asked, first, signal)
        } catch (error) {
          // Where another call by the same lease, as one after a lost connection, has been granted it, it stays granted.
          if (await store.giveUp(namespace, leaseId, caller)) await gatesChanged(namespace)
          throw error
        }
      }
      const time = grantedOrThrow(asked, first)
      await gatesChanged(namespace)
      return time
    },
    leave,
  }
}

async function waitForOthers(
  options: ExclusiveModeOptions,
  caller: Caller,
  { cancelRunning, timeoutMs }: AskedExclusive,
  asked: EnterExclusive,
  first: EnteredExclusive,
  signal: AbortSignal,
): Promise<Date> {
  const { store, gatesChanged } = options
  const { namespace } = asked
  const untilMs = performance.now() + timeoutMs
  await gatesChanged(namespace)
  if (cancelRunning) await cancelOthers(options, caller, asked)
  let entered = first
  for (let lookMs = LOOK_MS; entered.kind === 'waiting'; lookMs *= LOOKS_GROW_BY) {
    const leftMs = untilMs - performance.now()
    if (leftMs <= 0) throw namespaceBusy(namespace, entered.running, entered.count)
    await delay(Math.min(lookMs, leftMs, LOOK_MS_MAX), undefined, { signal })
    const isLast = performance.now() >= untilMs
    // Entering holds up whatever begins anywhere.
    if (isLast || (await store.countRunning(asked)) === 0) entered = await store.enter(asked)
  }
  const time = grantedOrThrow(asked, entered)
  await gatesChanged(namespace)
  return time
}

function grantedOrThrow(
  { namespace, leaseId, jobId = '' }: EnterExclusive,
  entered: EnteredExclusive,
): Date {
  switch (entered.kind) {
    case 'granted':
      return entered.time
    case 'held':
      throw namespaceExclusive(namespace, entered.holder)
    case 'no-lease':
      throw leaseNotFound(leaseId)
    case 'no-job':
      throw jobNotFound(jobId)
    case 'waiting':
    case 'busy':
      throw namespaceBusy(namespace, entered.running, entered.count)
  }
}

async function cancelOthers(
  { store, cancelJob }: ExclusiveModeOptions,
  caller: Caller,
  asked: EnterExclusive,
): Promise<void> {
  const { namespace } = asked
  const reason = `${caller.user} takes the namespace exclusively`
  const terms = { namespace, reason, graceMs: GRACE_MS, cascade: false, ofAnyone: true }
  for (let after: string | undefined; ; ) {
    const ids = await store.listRunning(asked, { size: PAGE, after })
    for (const id of ids) await cancelJob(caller, { ...terms, jobId: id as JobId })
    if (ids.length < PAGE) return
    after = ids.at(-1)
  }
}
