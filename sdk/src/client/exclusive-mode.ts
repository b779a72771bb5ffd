/** Having the client's namespace for oneself (row L10), for as long as a lease is kept. */
import { durationFrom } from '@offstage/proto/durations'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { flag } from '../arguments/rules.ts'
import { CALL_MS_MAX } from './call-terms.ts'
import { createLease, LEASE_RULES, type Lease, type LeaseOptions } from './lease.ts'
import { millisWithin } from './limit-rules.ts'
import type { Session } from './session.ts'

/** How exclusive mode is asked for; of its lease what {@link LeaseOptions} say. */
export interface ExclusiveOptions extends LeaseOptions {
  /**
   * How long to wait for running jobs of others to end, 0 to 60,000 ms: they begin nothing meanwhile but their children. Default 0: with a job
   * that runs it rejects at once, and nothing has changed.
   */
  readonly timeoutMs?: number
  /** Cancels what runs, with a grace of 10 s; `timeoutMs` has to be given. Default false. */
  readonly cancelRunning?: boolean
}

/** The namespace is the client's alone: what it starts runs, and nothing else does. */
export interface ExclusiveMode extends AsyncDisposable {
  /** Names it to other clients of the same user, as `leaseId` of their starts. */
  readonly leaseId: string
  /** By the scheduler's clock. */
  readonly since: Date
  /**
   * Aborted when it is lost: because its lease could not be renewed in time, or an administrator has ended it, which the next renewal finds out
   * (a third of the lease). Others may begin from then on.
   */
  readonly signal: AbortSignal
  /** What was held back goes on. Idempotent. */
  leave(): Promise<void>
}

const RULES: Rules<ExclusiveOptions> = {
  ...LEASE_RULES,
  timeoutMs: millisWithin(0, LIMITS.waitMsMax),
  cancelRunning: flag,
}

export async function enterExclusiveMode(
  session: Session,
  options: ExclusiveOptions,
): Promise<ExclusiveMode> {
  const {
    timeoutMs = 0,
    cancelRunning = false,
    ...leaseOptions
  } = checkOptions('exclusive', options, RULES)
  const lease = await createLease(session, leaseOptions)
  try {
    const since = await enter(session, lease, { timeoutMs, cancelRunning, signal: options.signal })
    return held(session, lease, since)
  } catch (error) {
    // It ends by itself, too.
    await lease.end().catch(() => {})
    throw error
  }
}

async function enter(
  session: Session,
  { id: leaseId }: Lease,
  { timeoutMs, cancelRunning, signal }: Pick<ExclusiveOptions, 'signal'> & Required<Wait>,
): Promise<Date> {
  const { namespaces } = session.connection
  const { namespace, parentJobId: jobId } = session.identity
  const timeout = durationFrom(timeoutMs)
  const request = { namespace, leaseId, timeout, cancelRunning, jobId }
  const call = namespaces.enterExclusiveMode.bind(namespaces)
  // By the same lease it may be asked for again.
  const terms = { signal, deadlineMs: timeoutMs + CALL_MS_MAX }
  const { exclusiveTime } = await session.callScheduler(call, request, terms)
  return exclusiveTime ?? new Date(Number.NaN)
}

type Wait = Pick<ExclusiveOptions, 'timeoutMs' | 'cancelRunning'>

function held(session: Session, lease: Lease, since: Date): ExclusiveMode {
  session.leaseId = lease.id
  const forget = () => {
    if (session.leaseId === lease.id) session.leaseId = ''
  }
  lease.signal.addEventListener('abort', forget, { once: true })
  const leave = () => {
    forget()
    return lease.end()
  }
  return {
    leaseId: lease.id,
    since,
    signal: lease.signal,
    leave,
    [Symbol.asyncDispose]: leave,
  }
}

/** Ends it whoever has it, and their lease: for administrators. */
export async function endExclusiveMode(session: Session): Promise<void> {
  const { namespaces } = session.connection
  const { namespace } = session.identity
  const request = { namespace, leaseId: '', force: true }
  await session.callScheduler(namespaces.leaveExclusiveMode.bind(namespaces), request)
}
