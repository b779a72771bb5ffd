/** Reading, waiting for and listing jobs, with rights first: a foreign job looks like a missing one (row J6). */
import { type Actor, mayForOthers } from '@offstage/kit/auth'
import { pageTokenAt, pageTokenInvalid, positionFrom } from '@offstage/kit/grpc'
import { countFitting } from '../domain/answer-size.ts'
import { jobSeen, messageSeen, standingSeen } from '../domain/hidden-payload.ts'
import { isJobId, type JobId } from '../domain/ids.ts'
import type { Job, JobMessage, JobStanding, JobView } from '../domain/job.ts'
import type { JobCount, JobDimension, JobFilter, JobScope } from '../domain/job-query.ts'
import { jobBytes, messageBytes } from '../domain/wire-size.ts'
import type { JobReads } from '../ports/job-reads.ts'
import { jobNotFound } from '../refusals.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { Waiter } from '../waits/waiter.ts'
import type { Caller } from './caller.ts'
import type { RecordReads } from './payload-reads.ts'
import { countingTooSlow, listingTooSlow, tooManyCounts } from './refusals.ts'
import type { ReadFor } from './shared-reads.ts'
import { ownerSeen, sightOf } from './sight.ts'

export interface FindJobs {
  get(caller: Caller, namespace: string, jobId: JobId, view: JobView): Promise<Job>
  list(
    caller: Caller,
    namespace: string,
    filter: JobFilter,
    page: { size: number; token: string; view: JobView },
  ): Promise<{ jobs: Job[]; nextPageToken: string }>
  count(
    caller: Caller,
    namespace: string,
    filter: JobFilter,
    by: readonly JobDimension[],
  ): Promise<JobCount[]>
  wait(
    caller: Caller,
    namespace: string,
    request: { ids: readonly JobId[]; any: boolean; timeoutMs: number },
    signal: AbortSignal,
  ): Promise<{ standings: (JobStanding | undefined)[]; satisfied: boolean }>
  messages(
    caller: Caller,
    namespace: string,
    jobId: JobId,
    page: { after: number; size: number; token: string },
  ): Promise<{ messages: JobMessage[]; nextPageToken: string; payloadHidden?: true }>
}

/** Of a message. */
const SEQUENCE_MAX = 2 ** 31 - 1
const DIGITS = /^\d+$/

/** What fits into one answer, with the longest names of methods. */
const COUNTS_MAX = 10_000

export function createFindJobs(options: {
  readonly store: JobReads
  readonly feed: JobFeed
  readonly readStandings: ReadFor<JobStanding>
  readonly recordReads: RecordReads
}): FindJobs {
  const { store, feed, readStandings, recordReads } = options

  const withReports = async (actor: Actor, jobs: readonly Job[], view: JobView): Promise<Job[]> => {
    const ids = jobs.map(({ id }) => id)
    const [progress, heartbeats, attempts] = await Promise.all([
      store.readProgress(ids),
      view === 'full' ? store.readHeartbeats(ids) : undefined,
      view === 'full' ? store.readAttempts(ids) : undefined,
    ])
    return jobs.map((job) => {
      const whole = {
        ...job,
        progress: progress.get(job.id),
        heartbeatData: heartbeats?.get(job.id),
        attempts: attempts && (attempts.get(job.id) ?? []),
      }
      return jobSeen(whole, sightOf(actor, job))
    })
  }

  const find = async (actor: Actor, namespace: string, jobId: JobId): Promise<Job> => {
    const job = await store.readJob(namespace, jobId, ownerSeen(actor))
    if (job === undefined || sightOf(actor, job) === 'nothing') throw jobNotFound(jobId)
    return job
  }

  return {
    async get(caller, namespace, jobId, view) {
      const job = await find(caller, namespace, jobId)
      const [told = job] = await withReports(caller, [job], view)
      if (view === 'full') await recordReads(caller, namespace, [job])
      return told
    },
    async list(caller, namespace, filter, { size, token, view }) {
      const listing = ['jobs', namespace, filter]
      const before = positionFrom(token, listing)
      if (before !== undefined && !isJobId(before)) throw pageTokenInvalid()
      const scope = scopeOf(caller, namespace)
      const found = await store.listJobs(scope, filter, { size: size + 1, before, view })
      if (found === undefined) throw listingTooSlow()
      const jobs = await withReports(caller, found, view)
      const page = jobs.slice(
        0,
        Math.min(
          size,
          countFitting(jobs, (job) => jobBytes(job, view)),
        ),
      )
      if (view === 'full') await recordReads(caller, namespace, page)
      const more = jobs.length > page.length
      return { jobs: page, nextPageToken: more ? pageTokenAt(page.at(-1)?.id ?? '', listing) : '' }
    },
    async count(caller, namespace, filter, by) {
      const counts = await store.countJobs(scopeOf(caller, namespace), filter, by, COUNTS_MAX + 1)
      if (counts === undefined) throw countingTooSlow()
      if (counts.length > COUNTS_MAX) throw tooManyCounts(COUNTS_MAX)
      return counts
    },
    async wait(caller, namespace, { ids, any, timeoutMs }, signal) {
      using waiter = new Waiter(
        feed,
        readStandings(caller, namespace),
        caller.user,
        (standing) => standing.namespace === namespace && sightOf(caller, standing) !== 'nothing',
      )
      const unique = [...new Set(ids)]
      if (timeoutMs > 0) for (const id of unique) waiter.follow(namespace, id, true)
      const first = new Map((await waiter.check(unique)).map((s, i) => [unique[i], s]))
      // What is missing, or not the caller's, will never end for them: it is not waited for.
      const found = unique.filter((id) => first.get(id) !== undefined)
      for (const id of unique) if (first.get(id) === undefined) waiter.leave(id)
      const wanted = any ? Math.min(1, found.length) : found.length
      const satisfied = await waiter.until(wanted, timeoutMs, signal)
      const standings = ids.map((id) => waiter.ended.get(id) ?? first.get(id))
      const ended = standings.filter((standing) => standing?.completion !== undefined)
      await recordReads(
        caller,
        namespace,
        ended.filter((standing) => standing !== undefined),
      )
      return {
        standings: standings.map(
          (standing) => standing && standingSeen(standing, sightOf(caller, standing)),
        ),
        satisfied,
      }
    },
    async messages(caller, namespace, jobId, { after, size, token }) {
      const job = await find(caller, namespace, jobId)
      const sight = sightOf(caller, job)
      const listing = ['messages', namespace, jobId, after]
      const position = positionFrom(token, listing)
      const from = position === undefined ? after : Number(position)
      const isSequence = from <= SEQUENCE_MAX && (position === undefined || DIGITS.test(position))
      if (!isSequence) throw pageTokenInvalid()
      const messages = await store.readMessages(jobId, from, size + 1)
      const page = messages.slice(0, Math.min(size, countFitting(messages, messageBytes)))
      if (page.length > 0) await recordReads(caller, namespace, [job])
      const last = page.at(-1)?.sequence
      const more = messages.length > page.length && last !== undefined
      return {
        messages: page.map((message) => messageSeen(message, sight)),
        nextPageToken: more ? pageTokenAt(String(last), listing) : '',
        payloadHidden: sight === 'payload' ? undefined : true,
      }
    },
  }
}

/** Whose jobs exist for the actor. */
function scopeOf(actor: Actor, namespace: string): JobScope {
  return { namespace, owner: mayForOthers(actor, 'jobs.read') ? undefined : actor.user }
}
