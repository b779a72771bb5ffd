/** Data locks (row E3). */
import type { Turns } from '@offstage/kit/fairness'
import {
  type GuardedService,
  pageTokenAt,
  pageTokenInvalid,
  positionFrom,
  unary,
} from '@offstage/kit/grpc'
import { textFault } from '@offstage/proto/field-rules'
import * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { countFitting } from '../domain/answer-size.ts'
import type { Lock, LockHolder } from '../domain/lock.ts'
import type { Caller } from '../jobs/caller.ts'
import type { Locks } from '../locks/locks.ts'
import { seesJobsOf } from '../locks/refusals.ts'
import type { ListedLock } from '../ports/locks.ts'
import { invalidField } from '../refusals.ts'
import { callerOf } from './caller.ts'
import {
  boundedMs,
  jobIdFrom,
  leaseIdFrom,
  namespaceFor,
  pageSizeFrom,
  requestIdFrom,
} from './mapping.ts'

export type LockCalls = Pick<
  GuardedService<proto.NamespaceServiceServer>,
  'acquireLock' | 'releaseLock' | 'listLocks'
>

const { LOCK_MODE_EXCLUSIVE, LOCK_MODE_SHARED, LOCK_MODE_UNSPECIFIED } = proto.LockMode

export function lockCalls(locks: Locks, listings: Turns): LockCalls {
  return {
    acquireLock: unary('locks.take', async (request: proto.AcquireLockRequest, context) => {
      const caller = callerOf(context)
      const namespace = namespaceFor(context.actor, request.namespace)
      const asked = {
        names: namesFrom(request),
        holder: holderFrom(request),
        exclusive: isExclusive(request.mode),
        requestId: requestIdFrom(request.requestId),
        timeoutMs: boundedMs('timeout', request.timeout, 0, LIMITS.lockWaitMsMax),
        keepsPlace: request.keepPlace && request.requestId !== '',
      }
      const acquired = await locks.acquire(caller, namespace, asked, context.signal)
      const told = acquired.map((lock) => lockTo({ ...lock, waiting: 0 }, caller))
      return { lock: told.find(({ name }) => name === request.name), locks: told }
    }),

    releaseLock: unary('locks.take', async (request: proto.ReleaseLockRequest, context) => {
      const { actor } = context
      const namespace = namespaceFor(actor, request.namespace)
      const { anyOwner } = request
      if (anyOwner && !actor.roles.includes('admin')) {
        throw invalidField('any_owner', 'may be set by administrators alone')
      }
      const fencingToken = fencingTokenFrom(request.fencingToken)
      const asked = { names: namesFrom(request), fencingToken, anyOwner }
      return { releasedCount: await locks.release(callerOf(context), namespace, asked) }
    }),

    listLocks: unary(
      'namespaces.read',
      async (request: proto.ListLocksRequest, context) => {
        const caller = callerOf(context)
        const namespace = namespaceFor(context.actor, request.namespace)
        const size = pageSizeFrom(request.pageSize, 50)
        const listing = ['locks', namespace]
        const after = afterFrom(positionFrom(request.pageToken, listing))
        const found = await locks.list(caller, namespace, { size: size + 1, after })
        const page = found.slice(0, Math.min(size, countFitting(found, lockBytes)))
        const last = page.at(-1)
        const more = found.length > page.length && last !== undefined
        return {
          locks: page.map((lock) => lockTo(lock, caller)),
          nextPageToken: more ? pageTokenAt(`${last.fencingToken} ${last.name}`, listing) : '',
        }
      },
      listings,
    ),
  }
}

/** In order, each once. */
function namesFrom({ name, names }: { readonly name: string; readonly names: readonly string[] }) {
  if (name === '') throw invalidField('name', 'must not be empty')
  if (names.length >= LIMITS.lockNamesMax) {
    throw invalidField('names', `must be at most ${LIMITS.lockNamesMax} with name`)
  }
  for (const [index, each] of [name, ...names].entries()) {
    const field = index === 0 ? 'name' : `names[${index - 1}]`
    const fault = each === '' ? 'must not be empty' : textFault(each, LIMITS.lockNameCharactersMax)
    if (fault !== undefined) throw invalidField(field, fault)
  }
  return [...new Set([name, ...names])].sort()
}

function holderFrom({ holder, attempt }: proto.AcquireLockRequest): LockHolder {
  if (attempt < 0) throw invalidField('attempt', 'must be 0 or more')
  switch (holder?.$case) {
    case 'jobId':
      return { kind: 'job', jobId: jobIdFrom(holder.value), attempt }
    case 'leaseId':
      if (attempt !== 0) throw invalidField('attempt', 'goes with job_id alone')
      return { kind: 'lease', leaseId: leaseIdFrom(holder.value) }
    default:
      throw invalidField('holder', 'is required: a job_id or a lease_id that the lock ends with')
  }
}

function isExclusive(mode: proto.LockMode): boolean {
  if (mode === LOCK_MODE_SHARED) return false
  if (mode === LOCK_MODE_EXCLUSIVE || mode === LOCK_MODE_UNSPECIFIED) return true
  throw invalidField('mode', 'must be LOCK_MODE_EXCLUSIVE or LOCK_MODE_SHARED')
}

function fencingTokenFrom(token: bigint): number | undefined {
  if (token < 0n || token > Number.MAX_SAFE_INTEGER) {
    throw invalidField('fencing_token', 'must be that of a lock, or 0')
  }
  return token === 0n ? undefined : Number(token)
}

function afterFrom(position: string | undefined) {
  if (position === undefined) return undefined
  const [, token = '', name = ''] = /^(\d{1,15}) (.+)$/s.exec(position) ?? []
  if (name === '') throw pageTokenInvalid()
  return { name, fencingToken: Number(token) }
}

/** An upper bound: a UTF-16 unit takes three bytes at most. */
function lockBytes({ name, owner }: Lock): number {
  return 200 + 3 * (name.length + owner.length)
}

function lockTo({ holder, ...lock }: ListedLock, caller: Caller): proto.Lock {
  const { name, owner, exclusive, fencingToken, acquireTime, waiting } = lock
  const isJob = holder.kind === 'job'
  return {
    name,
    owner,
    jobId: isJob && seesJobsOf(caller, owner) ? holder.jobId : '',
    attempt: isJob && seesJobsOf(caller, owner) ? holder.attempt : 0,
    leaseId: !isJob && owner === caller.user ? holder.leaseId : '',
    acquireTime,
    mode: exclusive ? LOCK_MODE_EXCLUSIVE : LOCK_MODE_SHARED,
    fencingToken: BigInt(fencingToken),
    waitingCount: waiting,
  }
}
