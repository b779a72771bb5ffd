/** What is said of locks that are taken, and of waits that would never end. */
import { type Actor, mayForOthers } from '@offstage/kit/auth'
import { Refusal } from '@offstage/kit/grpc'
import type { LockConflict } from '../domain/lock.ts'
import type { Party, WaitLink } from '../domain/wait-circle.ts'

/** Everybody is told who holds a lock they ask for; which job it is for, who may see that. */
export function lockTaken(
  actor: Actor,
  { isWaiting, name, owner, holder, since }: LockConflict,
): Refusal {
  const jobId = holder.kind === 'job' && seesJobsOf(actor, owner) ? holder.jobId : undefined
  const who = whoOf(owner, holder.kind, jobId)
  const time = since.toISOString()
  const message = isWaiting
    ? `${who} has waited for the lock "${name}" since ${time}, and comes first`
    : `the lock "${name}" is held by ${who} since ${time}`
  return new Refusal({
    reason: 'LOCK_TAKEN',
    message,
    metadata: {
      ...{ name, owner, since: time, waiting: String(isWaiting) },
      ...(jobId === undefined ? {} : { job_id: jobId }),
    },
  })
}

function whoOf(owner: string, kind: string, jobId: string | undefined): string {
  if (kind === 'transaction') return `a transaction of ${owner}`
  return jobId === undefined ? owner : `job ${jobId} of ${owner}`
}

/** More of a circle than this is counted. */
const LINKS_TOLD_MAX = 8

/** Of what only others have to do with, the names are told to those who may see it. */
export function lockDeadlock(actor: Actor, circle: readonly WaitLink[]): Refusal {
  const links = circle.map((link, index) => {
    const party = index === 0 ? 'you' : namedFor(actor, link.party)
    const on = index === circle.length - 1 ? 'you' : namedFor(actor, link.on)
    return `${party} ${index === 0 ? 'would wait' : 'waits'} for ${reasonOf(actor, link, on)}`
  })
  const more = links.length - LINKS_TOLD_MAX
  const told = more > 0 ? [...links.slice(0, LINKS_TOLD_MAX), `and ${more} more wait`] : links
  return new Refusal({
    reason: 'LOCK_DEADLOCK',
    message: `this wait would never end: ${told.join(', ')}; give back what you hold, and take it all at once`,
    metadata: { circle: told.join('; ') },
  })
}

function reasonOf(actor: Actor, { for: what, name, party, on: holder }: WaitLink, on: string) {
  const isSeen = seesJobsOf(actor, party.owner) || seesJobsOf(actor, holder.owner)
  const named = (kind: string) => (isSeen ? `the ${kind} "${name}"` : `a ${kind}`)
  switch (what) {
    case 'lock':
      return `${named('lock')} that ${on} ${on === 'you' ? 'hold or are' : 'holds or is'} to have first`
    case 'key':
      return `${named('key')} ${on === 'you' ? 'of yours' : `of ${on}`}`
    case 'child':
      return `${on} as its child`
    case 'limit':
      return `a place in the limits of ${isSeen ? name : 'its method'}, which ${on} ${on === 'you' ? 'have' : 'has'}`
    case 'transaction':
      return `what ${on} has locked in the database`
  }
}

function namedFor(actor: Actor, { kind, id, owner }: Party): string {
  const name = seesJobsOf(actor, owner) ? `${kind} ${id}` : `a ${kind}`
  return owner === actor.user ? name : `${name} of ${owner}`
}

export function seesJobsOf(actor: Actor, owner: string): boolean {
  return owner === actor.user || mayForOthers(actor, 'jobs.read')
}

export function jobNotRunning(jobId: string, attempt: number | undefined): Refusal {
  const message =
    attempt === undefined
      ? `job ${jobId} does not run, and a lock is bound to an attempt that does`
      : `attempt ${attempt} of job ${jobId} does not run, or no longer, and a lock ends with its attempt`
  return new Refusal({ reason: 'JOB_NOT_RUNNING', message, metadata: { job_id: jobId } })
}

export function tooManyLockWaitsOfCaller(max: number): Refusal {
  return new Refusal({
    reason: 'TOO_MANY_WAITERS',
    message: `more than ${max} of your calls wait for locks on this replica`,
    metadata: { limit: 'caller_lock_waits', max: String(max) },
    retryDelayMs: 1_000,
  })
}

export function tooManyLockWaits(max: number): Refusal {
  return new Refusal({
    reason: 'TOO_MANY_WAITERS',
    message: `more than ${max} callers wait for locks on this replica`,
    metadata: { limit: 'lock_waits', max: String(max) },
    retryDelayMs: 1_000,
  })
}
