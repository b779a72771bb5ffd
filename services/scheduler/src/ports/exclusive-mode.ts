/** Namespaces that somebody has for themselves (row L10). */
import type { ActBy } from '../domain/act.ts'
import type { ExclusiveHolder, RunningJobOfOthers } from '../domain/exclusive-mode.ts'
import type { LeaseId } from '../domain/ids.ts'

export interface EnterExclusive {
  readonly namespace: string
  /** Of `by`. */
  readonly leaseId: LeaseId
  /** The job that asks: it belongs to the lease from now on, and so does what is below it. Undefined: none. */
  readonly jobId: string | undefined
  /** What runs is waited for; else it is a reason to change nothing. */
  readonly waits: boolean
  readonly by: ActBy
}

export type EnteredExclusive =
  | { readonly kind: 'granted'; readonly time: Date }
  /** Others begin nothing any more, and this is what still runs of theirs: the oldest of them, and how many there are. */
  | {
      readonly kind: 'waiting' | 'busy'
      readonly running: readonly RunningJobOfOthers[]
      readonly count: number
    }
  | { readonly kind: 'held'; readonly holder: ExclusiveHolder }
  | { readonly kind: 'no-lease' }
  | { readonly kind: 'no-job' }

/**
 * A change resolves when every start and claim that went by what held before has been committed, on whichever replica: so from `granted` on
 * nothing of others runs, and none begins.
 */
export interface ExclusiveModeStore {
  /** To be asked again while it waits. */
  enter(asked: EnterExclusive): Promise<EnteredExclusive>
  /** How many jobs it would wait for, which may be asked often. */
  countRunning(asked: Pick<EnterExclusive, 'namespace' | 'leaseId' | 'jobId'>): Promise<number>
  /** Those that are not canceled yet, in the order of their ids. */
  listRunning(
    asked: Pick<EnterExclusive, 'namespace' | 'leaseId' | 'jobId'>,
    page: { readonly size: number; readonly after: string | undefined },
  ): Promise<string[]>
  /** Whether anything was changed; by a lease of somebody else nothing is. `leaseId` undefined: whoever has it. */
  leave(namespace: string, leaseId: LeaseId | undefined, by: ActBy): Promise<boolean>
  /** As `leave`, where it is only asked for: what has been granted meanwhile stays. */
  giveUp(namespace: string, leaseId: LeaseId, by: ActBy): Promise<boolean>
  /** Undefined where nobody has it. */
  read(namespace: string): Promise<ExclusiveHolder | undefined>
}
