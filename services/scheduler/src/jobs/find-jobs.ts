/** Reading, waiting for and listing jobs, with rights first: a foreign job looks like a missing one (row J6). */
import { createHash } from 'node:crypto'
import { type Actor, mayForOthers, mayTouch } from '@offstage/kit/auth'
import { Refusal } from '@offstage/kit/grpc'
import { countFitting } from '../answer-size.ts'
import type { Job, JobMessage, JobStanding } from '../domain/job.ts'
import { isJobId } from '../domain/start-command.ts'
import type { JobFilter, JobStore } from '../ports.ts'
import { jobNotFound, listingTooSlow } from '../refusals.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { type ReadStandings, Waiter } from '../waits/waiter.ts'
import { listedJobBytes } from '../wire-size.ts'

export interface FindJobs {
  get(actor: Actor, namespace: string, jobId: string): Promise<Job>
  list(
    actor: Actor,
    namespace: string,
    filter: JobFilter,
    page: { size: number; token: string },
  ): Promise<{ jobs: Job[]; nextPageToken: string }>
  wait(
    actor: Actor,
    namespace: string,
    request: { ids: readonly string[]; any: boolean; timeoutMs: number },
    signal: AbortSignal,
  ): Promise<{ standings: (JobStanding | undefined)[]; satisfied: boolean }>
  messages(
    actor: Actor,
    namespace: string,
    jobId: string,
    page: { after: number; size: number },
  ): Promise<{ messages: JobMessage[]; more: boolean }>
}

export function createFindJobs(options: {
  readonly store: JobStore
  readonly feed: JobFeed
  readonly readStandings: ReadStandings
}): FindJobs {
  const { store, feed, readStandings } = options

  const get: FindJobs['get'] = async (actor, namespace, jobId) => {
    const job = await store.readJob(namespace, jobId)
    if (job === undefined || !mayTouch(actor, 'jobs.read', job)) throw jobNotFound(jobId)
    const progress = await store.readProgress([jobId])
    return { ...job, progress: progress.get(jobId) }
  }

  return {
    get,
    async list(actor, namespace, filter, { size, token }) {
      const visible = mayForOthers(actor, 'jobs.read') ? filter : ownOnly(actor, filter)
      const digest = digestOf(namespace, filter)
      const before = token === '' ? undefined : readToken(token, digest)
      if (visible === undefined) return { jobs: [], nextPageToken: '' }
      const found = await store.listJobs(namespace, visible, { size: size + 1, before })
      if (found === undefined) throw listingTooSlow()
      const progress = await store.readProgress(found.map(({ id }) => id))
      const jobs = found.map((job) => ({ ...job, progress: progress.get(job.id) }))
      const page = jobs.slice(0, Math.min(size, countFitting(jobs, listedJobBytes)))
      const more = jobs.length > page.length
      return { jobs: page, nextPageToken: more ? writeToken(page.at(-1)?.id ?? '', digest) : '' }
    },
    async wait(actor, namespace, { ids, any, timeoutMs }, signal) {
      using waiter = new Waiter(
        feed,
        readStandings,
        (standing) => standing.namespace === namespace && mayTouch(actor, 'jobs.read', standing),
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
      return { standings, satisfied }
    },
    async messages(actor, namespace, jobId, { after, size }) {
      await get(actor, namespace, jobId)
      const messages = await store.readMessages(jobId, after, size + 1)
      return { messages: messages.slice(0, size), more: messages.length > size }
    },
  }
}

/** The filter narrowed to the caller's own jobs; undefined when it asks for somebody else's. */
function ownOnly(actor: Actor, filter: JobFilter): JobFilter | undefined {
  if (filter.owner !== '' && filter.owner !== actor.user) return undefined
  return { ...filter, owner: actor.user }
}

/** Binds a page token to the listing it was made for. */
function digestOf(namespace: string, filter: JobFilter): string {
  const text = JSON.stringify([namespace, filter])
  return createHash('sha256').update(text).digest('base64url').slice(0, 12)
}

function writeToken(lastId: string, digest: string): string {
  return Buffer.from(`${digest}.${lastId}`).toString('base64url')
}

function readToken(token: string, digest: string): string {
  const [made, lastId = ''] = Buffer.from(token, 'base64url').toString().split('.')
  if (made === digest && isJobId(lastId)) return lastId
  throw new Refusal({
    reason: 'PAGE_TOKEN_INVALID',
    message: 'page_token does not belong to this listing; start again without it',
    violations: [{ field: 'page_token', description: 'does not belong to this listing' }],
  })
}
