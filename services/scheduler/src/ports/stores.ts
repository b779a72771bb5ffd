/** All that is stored, put together. */
import type { ActStore } from './acts.ts'
import type { HeldAttemptStore, SigningKeyStore } from './attempt-tokens.ts'
import type { ClaimStore, EndStore, ReportStore } from './attempts.ts'
import type { BulkStore } from './bulk.ts'
import type { CallerLeaseStore } from './caller-leases.ts'
import type { ExclusiveModeStore } from './exclusive-mode.ts'
import type { AttachmentStore, LeaseStore, MethodStore } from './executors.ts'
import type { HistoryStore, JobChanges } from './job-changes.ts'
import type { JobReads } from './job-reads.ts'
import type { LeakStore } from './leaks.ts'
import type { LoadStore } from './load.ts'
import type { LockStore } from './locks.ts'
import type { GateStore, NamespaceStore } from './namespaces.ts'
import type { PaceStore } from './pace.ts'
import type { ParentStore } from './parents.ts'
import type { RefreshStore } from './refreshes.ts'
import type { RetentionStore } from './retention.ts'
import type { DeclaredScheduleStore, ScheduleRunStore, ScheduleStore } from './schedules.ts'
import type { SqlStartStore } from './sql-starts.ts'
import type { StartStore } from './starts.ts'
import type { SweepStore } from './sweeps.ts'
import type { JobValueStore } from './values.ts'

/**
 * The truth about jobs. Every write is one statement for many jobs, conditional on the state it
 * leaves; what it returns is what really changed.
 */
export interface JobStore
  extends StartStore,
    ClaimStore,
    EndStore,
    ReportStore,
    JobReads,
    JobChanges {}

/** All that is stored, each part over the connections meant for it. */
export interface SchedulerStores {
  /** Jobs as callers ask for them. */
  readonly calls: JobStore
  /** Jobs as results, reports and claims change them. */
  readonly work: JobStore
  readonly sweeps: SweepStore
  readonly sqlStarts: SqlStartStore
  /** Gates as callers change them. */
  readonly gates: GateStore
  /** Gates as they are read for dispatch. */
  readonly workGates: GateStore
  readonly namespaces: NamespaceStore
  readonly retention: RetentionStore
  readonly history: HistoryStore
  readonly bulk: BulkStore
  readonly callerLeases: CallerLeaseStore
  readonly exclusiveMode: ExclusiveModeStore
  readonly schedules: ScheduleStore
  readonly scheduleRuns: ScheduleRunStore
  readonly declaredSchedules: DeclaredScheduleStore
  readonly jobValues: JobValueStore
  readonly attachments: AttachmentStore
  readonly leases: LeaseStore
  readonly methods: MethodStore
  /** Methods as callers list them. */
  readonly callMethods: MethodStore
  /** Executors as callers list them. */
  readonly callAttachments: Pick<AttachmentStore, 'list'>
  readonly heldAttempts: HeldAttemptStore
  readonly signingKeys: SigningKeyStore
  readonly acts: ActStore
  readonly load: LoadStore
  readonly locks: LockStore
  /** Who waits for locks, as it is swept. */
  readonly workLocks: LockStore
  readonly leaks: LeakStore
  readonly pace: PaceStore
  /** Refreshes of reusable values as callers ask for them. */
  readonly refreshes: RefreshStore
  /** The same as they are swept. */
  readonly workRefreshes: RefreshStore
  readonly parents: ParentStore
}
