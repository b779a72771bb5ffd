/** Executors that are attached, for how long, and what they run. */
import type { ActBy } from '../domain/act.ts'
import type { AttachedExecutor, Attachment } from '../domain/attached-executor.ts'
import type { ChangedJob, TakenJobs } from '../domain/held-job.ts'
import type { AttachmentId, SessionKey } from '../domain/ids.ts'
import type { FoundMethod, KnownMethod } from '../domain/known-method.ts'
import type { MethodDefinition } from '../domain/method-definition.ts'

export interface AttachmentStore {
  /**
   * Records a new attachment and moves over what its session still runs: `adopted` goes on under the new
   * attachment, everything else the session held is put back into the queue at no charge. What the session was
   * charged with when it was believed lost is taken back.
   */
  attach(
    attachment: Attachment,
    running: readonly { jobId: string; attempt: number }[],
  ): Promise<{ adopted: TakenJobs; requeued: ChangedJob[] }>
  /**
   * Renews leases. What is missing in the answer is over for good; false stands for one that goes on but whose row somebody
   * else has locked: it was left as it is.
   */
  renew(ids: readonly AttachmentId[]): Promise<Map<AttachmentId, boolean>>
  /** It takes no new work any more; recorded as an act of who asked for it. */
  markDraining(id: AttachmentId, by: ActBy | undefined): Promise<void>
  /** Its executor has gone in order: what it may still hold goes back into the queue, and nobody is charged. */
  end(id: AttachmentId): Promise<void>
  /** Those of all replicas, in the order of their keys, from the one after the key `after` on. */
  list(
    namespace: string,
    page: { readonly size: number; readonly after: SessionKey | undefined },
  ): Promise<AttachedExecutor[]>
}

/** The count of rounds leases are measured by, and what follows when one has run out (ADR 0009). */
export interface LeaseStore {
  /** The present round, and for how long it has lasted by the database's clock. */
  readRound(): Promise<{ round: number; ageMs: number }>
  /**
   * Begins the round after `round`; undefined when it is not the present one any more. An attachment that was not renewed
   * for `leaseRounds` rounds, and those its session has more than others, comes into doubt; one that is in doubt already is over, and listed.
   */
  beginRound(
    round: number,
    leaseRounds: number,
  ): Promise<{ round: number; lost: AttachmentId[] } | undefined>
  /** Takes jobs from attachments that are over. */
  releaseLost(limit: number, crashLimit: number): Promise<ChangedJob[]>
  /** Removes attachments that have been over for so many rounds and hold nothing. */
  forgetEnded(rounds: number): Promise<void>
}

export interface Announced {
  /** The earlier schemas of parameters, by method, where there are any. */
  readonly earlier: ReadonlyMap<string, readonly string[]>
  /** The gates are others than they were. */
  readonly limitsChanged: boolean
}

export interface MethodStore {
  /** Resolves when no job begins by limits that the definitions do not have any more. */
  announce(namespace: string, definitions: readonly MethodDefinition[]): Promise<Announced>
  /** Earlier schemas that no executor attached can go by any more. */
  forgetEarlier(): Promise<void>
  /** The terms of each, or undefined where it was never announced. */
  find(
    methods: readonly { readonly namespace: string; readonly name: string }[],
  ): Promise<(FoundMethod | undefined)[]>
  /** By name, those after `after`. */
  list(
    namespace: string,
    page: { readonly size: number; readonly after: string },
  ): Promise<KnownMethod[]>
  /** The first of the names of a namespace, in order. */
  names(namespace: string): Promise<string[]>
}
