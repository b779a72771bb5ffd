import type { MessageSeverity } from '../client/events.ts'
import type { JobCalls } from '../client/job-calls.ts'
import type { LockOptions } from '../client/lock-options.ts'
import type { HeldLock } from '../client/locks.ts'
import type { Offstage } from '../client/offstage.ts'
import type { StorageCalls } from '../client/storage-calls.ts'

/**
 * What a handler knows of its job and can do in it (row J13: nothing else flows into a job but its
 * parameters). The calls of {@link JobCalls} act for the job's owner (row J5) and make child jobs;
 * its waits give the job's slot back for their time (row J11), so a pool full of waiting parents does
 * not lock up.
 */
export interface JobContext extends JobCalls {
  /** The job's id. */
  readonly id: string
  /** The method that runs: the fallback's name where a fallback was called (row A4). */
  readonly method: string
  /** The method that the start asked for, where {@link method} is its fallback; undefined otherwise. */
  readonly requestedMethod: string | undefined
  /** For people: the display name that the start gave, else the method. */
  readonly displayName: string
  /** The job that started this one (row J11); empty for none. */
  readonly parentJobId: string
  /** Which attempt this is, from 1. */
  readonly attempt: number
  /** The user the job runs for (row J5). */
  readonly owner: string
  /** The namespace the job belongs to. */
  readonly namespace: string
  /** The job's key (row J4); empty for none. */
  readonly key: string
  /** Labels given at the start. */
  readonly labels: Readonly<Record<string, string>>
  /** The schedule that created the job, and the due time it is for; undefined for other jobs. */
  readonly schedule: { readonly id: string; readonly dueTime: Date } | undefined
  /** The caller's scope in temp storage, into which the job may put values (row J13); empty for none. */
  readonly scope: string
  /**
   * The address in temp storage that the caller has reserved for the result (row L4); empty for none. What the handler returns goes
   * there. A handler may also put something there itself, at any time and often, and then return nothing: `job.storage.put(report, {
   * address: job.resultAddress })`.
   */
  readonly resultAddress: string
  /** Whether the caller asked for an additional result (row L5). */
  readonly wantsAdditionalResult: boolean
  /** The same as {@link resultAddress} for what {@link setAdditionalResult} gives; empty where it goes to a new one. */
  readonly additionalResultAddress: string
  /** W3C trace id of the attempt's span, 32 hex digits; empty where nothing is traced. */
  readonly traceId: string
  /**
   * Aborted by a cancel, a deadline, a draining executor or a lost lease; the reason is an Error that says who and why, of a deadline a
   * TimeoutError. Its `code` says which (`stopCodeOf`), such as `JOB_CANCELED` or `HEARTBEAT_DEADLINE_EXCEEDED`.
   */
  readonly signal: AbortSignal
  /**
   * Reports how far the job has come (row J15): 0 to 100, what is being done (at most 1,000 characters),
   * anything else as JSON (at most 16 KiB and 32 levels of objects and lists, itself the first). Cheap
   * enough for inner loops: the executor sends a few a second and always the last.
   *
   * @throws TypeError that names `extra`, when it is over its limits, or JSON cannot hold it or would lose some of it
   */
  progress(percent: number, text?: string, extra?: Record<string, unknown>): void
  /**
   * Adds a line to the job's ordered list of messages (row J15), at most 4,000 characters. Default severity `info`;
   * limits of `extra` as for progress.
   *
   * @throws TypeError that names `extra` or `severity`, when it is not as it must be
   */
  message(
    text: string,
    options?: { readonly severity?: MessageSeverity; readonly extra?: Record<string, unknown> },
  ): void
  /**
   * Says the handler lives, where the job has a heartbeat deadline (row J17); progress and messages do too. `data` is kept with the
   * job, the last one stands, and should this attempt end without a result the next one has it as {@link lastHeartbeat}: how far
   * it has come, say. Any JSON value of at most 64 KiB. Cheap enough for inner loops.
   *
   * @throws TypeError that names `data`, when it is over the limit, or JSON cannot hold it or would lose some of it
   */
  heartbeat(data?: unknown): void
  /** What an earlier attempt gave {@link heartbeat} last; undefined for none. */
  readonly lastHeartbeat: unknown
  /** Gives the additional result (row L5). The last one stands; dropped where the caller did not ask for one. */
  setAdditionalResult(value: unknown): void
  /**
   * Takes data locks by name (row E3), of several all or none, bound to this attempt: they are free once it is over, at the latest.
   *
   * ```ts
   * await using lock = await job.lock('orders/17', { timeoutMs: 10_000 })
   * ```
   * @throws OffstageError LOCK_TAKEN, naming who holds it; LOCK_DEADLOCK where to wait would never end
   */
  lock(name: string | readonly string[], options?: LockOptions): Promise<HeldLock>
  /** The client behind the calls of this context. */
  readonly client: Offstage
  /** Temp storage, as the job's owner (row J5). */
  readonly storage: StorageCalls
}
