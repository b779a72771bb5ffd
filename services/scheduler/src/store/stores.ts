import type { SchedulerStores } from '../ports/stores.ts'
import { createActStore } from './acts.ts'
import { createAttachmentStore } from './attachments.ts'
import { createBulkStore } from './bulk-jobs.ts'
import { createCallerLeaseStore } from './caller-leases.ts'
import type { SchedulerDatabases } from './databases.ts'
import { createDeclaredScheduleStore } from './declared-schedules.ts'
import { createExclusiveModeStore } from './exclusive-mode.ts'
import { createGateStore } from './gates.ts'
import { createHeldAttemptStore } from './held-attempts.ts'
import { createJobStore, createSweepStore } from './job-store.ts'
import { createJobValueStore } from './job-values.ts'
import { createLeakStore } from './leaks.ts'
import { createLeaseStore } from './leases.ts'
import { createLoadStore } from './load-store.ts'
import { createLockStore } from './locks.ts'
import { createMethodStore } from './methods.ts'
import { createNamespaceStore } from './namespaces.ts'
import { createPaceStore } from './pace.ts'
import { createParentStore } from './parents.ts'
import { createRefreshStore } from './refreshes.ts'
import { createHistoryStore } from './remove-jobs.ts'
import { createRetentionStore } from './retention.ts'
import { createScheduleRunStore } from './schedule-runs.ts'
import { createScheduleStore } from './schedules.ts'
import { createSigningKeyStore } from './signing-keys.ts'
import { createSqlStartStore } from './sql-starts.ts'

export function createStores({
  calls,
  listings,
  work,
  leases,
}: SchedulerDatabases): SchedulerStores {
  return {
    calls: createJobStore(calls, listings),
    work: createJobStore(work),
    sweeps: createSweepStore(work),
    sqlStarts: createSqlStartStore(work),
    gates: createGateStore(calls),
    workGates: createGateStore(work),
    namespaces: createNamespaceStore(calls),
    retention: createRetentionStore(work, listings),
    history: createHistoryStore(calls),
    bulk: createBulkStore(calls, work, listings),
    callerLeases: createCallerLeaseStore(calls),
    exclusiveMode: createExclusiveModeStore(calls),
    schedules: createScheduleStore(calls),
    scheduleRuns: createScheduleRunStore(work),
    declaredSchedules: createDeclaredScheduleStore(calls),
    jobValues: createJobValueStore(calls),
    attachments: createAttachmentStore(leases),
    leases: createLeaseStore(leases),
    methods: createMethodStore(leases),
    callMethods: createMethodStore(calls),
    callAttachments: createAttachmentStore(calls),
    heldAttempts: createHeldAttemptStore(calls),
    signingKeys: createSigningKeyStore(calls),
    acts: createActStore(calls),
    load: createLoadStore(listings),
    locks: createLockStore(calls),
    workLocks: createLockStore(work),
    leaks: createLeakStore(calls),
    pace: createPaceStore(work),
    refreshes: createRefreshStore(calls),
    workRefreshes: createRefreshStore(work),
    parents: createParentStore(work),
  }
}
