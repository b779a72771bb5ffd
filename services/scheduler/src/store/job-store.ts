import type { Database } from '@offstage/kit/database'
import type { JobStore } from '../ports/stores.ts'
import type { SweepStore } from '../ports/sweeps.ts'
import { hasLease } from './caller-leases.ts'
import { cancelJobs, openCancels } from './cancel-jobs.ts'
import { claimJobs } from './claim-jobs.ts'
import { claimLimited } from './claim-limited.ts'
import { countJobs } from './count-jobs.ts'
import { countQueued } from './count-queued.ts'
import { endAttempts, requeueAttempts, setWaiting, succeedAttempts } from './end-attempts.ts'
import { findRefused } from './exclusive-mode.ts'
import { readCircumstances } from './explain-job.ts'
import { findExisting } from './find-existing.ts'
import { isServed, leaveGoneSessions, sessionRuns } from './foreground.ts'
import { forgetFullBuckets } from './forget-full-buckets.ts'
import { insertJobs } from './insert-jobs.ts'
import { readAttempts } from './job-attempts.ts'
import { listHeld } from './list-held.ts'
import { listJobs } from './list-jobs.ts'
import {
  readHeartbeats,
  readMessages,
  readProgress,
  recordMessages,
  recordProgress,
} from './progress.ts'
import { isBelow, readJob, readParentStates, takenIds } from './read-jobs.ts'
import { readNews } from './read-news.ts'
import { readStandings, readWatched } from './read-standings.ts'
import { retryJob } from './retry-job.ts'
import * as sweeps from './sweeps.ts'

export function createJobStore(database: Database, listings = database): JobStore {
  return {
    insert: (jobs, gateEpoch) => insertJobs(database, jobs, gateEpoch),
    insertBehindKey: (jobs) => insertJobs(database, jobs, undefined, true),
    findExisting: (starts) => findExisting(database, starts),
    takenIds: (ids) => takenIds(database, ids),
    hasLease: (start) => hasLease(database, start),
    findRefused: (starts) => findRefused(database, starts),
    parentStates: (starts) => readParentStates(database, starts),
    isBelow: (command, ancestorId) => isBelow(database, command, ancestorId),
    claim: (namespace, queues, ids, terms) => claimJobs(database, namespace, queues, ids, terms),
    claimLimited: (request) => claimLimited(database, request),
    sessionRuns: (key, method, version) => sessionRuns(database, key, method, version),
    isServed: (start) => isServed(database, start),
    countQueued: (queues) => countQueued(database, queues),
    succeed: (successes) => succeedAttempts(database, successes),
    end: (ends) => endAttempts(database, ends),
    requeue: (attempts) => requeueAttempts(database, attempts),
    setWaiting: (attempts, waiting) => setWaiting(database, attempts, waiting),
    readStandings: (asked) => readStandings(database, asked),
    readWatched: (asked) => readWatched(database, asked),
    readNews: (jobs) => readNews(database, jobs),
    readJob: (namespace, id, owner) => readJob(database, namespace, id, owner),
    listJobs: (scope, filter, page) => listJobs(listings, scope, filter, page),
    countJobs: (scope, filter, by, limit) => countJobs(listings, scope, filter, by, limit),
    readAttempts: (ids) => readAttempts(database, ids),
    readCircumstances: (namespace, id, owner) => readCircumstances(database, namespace, id, owner),
    listHeld: (namespace, which, page) => listHeld(database, namespace, which, page),
    cancel: (request) => cancelJobs(database, request),
    retry: (request) => retryJob(database, request),
    recordProgress: (records) => recordProgress(database, records),
    recordMessages: (records) => recordMessages(database, records),
    readProgress: (ids) => readProgress(database, ids),
    readHeartbeats: (ids) => readHeartbeats(database, ids),
    readMessages: (id, after, limit) => readMessages(database, id, after, limit),
  }
}

export function createSweepStore(database: Database): SweepStore {
  return {
    promoteDue: (limit) => sweeps.promoteDue(database, limit),
    promoteBehindKey: (limit) => sweeps.promoteBehindKey(database, limit),
    expireQueued: (limit) => sweeps.expireQueued(database, limit),
    expireTotal: (limit) => sweeps.expireTotal(database, limit),
    leaveGoneSessions: (limit) => leaveGoneSessions(database, limit),
    forceCanceled: (limit) => sweeps.forceCanceled(database, limit),
    openCancels: (ids, leaseMs) => openCancels(database, ids, leaseMs),
    forgetFullBuckets: () => forgetFullBuckets(database),
    heldBy: (ids) => sweeps.heldBy(database, ids),
    orphans: (limit) => sweeps.orphans(database, limit),
  }
}
