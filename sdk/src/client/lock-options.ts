/** How locks are asked for. */
import { LIMITS } from '@offstage/proto/limits'
import type { Rules } from '../arguments/check-options.ts'
import { abortSignal, oneOf, someText } from '../arguments/rules.ts'
import { listUpTo, millisWithin, nameUpTo } from './limit-rules.ts'

export interface LockOptions {
  /** Default exclusive: nobody else holds it. Of those who hold it shared there may be any number. */
  readonly mode?: 'exclusive' | 'shared'
  /** How long to wait for it, up to a day. Default 0: a lock that is taken is refused at once. */
  readonly timeoutMs?: number
  /** Gives up the wait. Default in a job: its own signal. */
  readonly signal?: AbortSignal
}

/** A lease or its id. */
export type LeaseRef = string | { readonly id: string }

/** What locks are bound to: they end with it. */
export type LockHolder =
  | { readonly lease: LeaseRef }
  | { readonly jobId: string; readonly attempt: number }

const DAY_MS = 24 * 3_600_000

export const LOCK_RULES: Rules<LockOptions> = {
  mode: oneOf(['exclusive', 'shared']),
  timeoutMs: millisWithin(0, DAY_MS),
  signal: abortSignal,
}

export function namesFrom(name: string | readonly string[]): readonly string[] {
  const names = typeof name === 'string' ? [name] : name
  const some = nameUpTo(LIMITS.lockNameCharactersMax)
  listUpTo(LIMITS.lockNamesMax, (each, argument) => {
    someText(each, argument)
    some(each, argument)
  })(names, 'the name of a lock')
  if (names.length === 0) throw new TypeError('the name of a lock must be given')
  return names
}

/** What names a holder, if anything does. */
export function givenHolder(holder: Partial<LockHolder>): LockHolder | undefined {
  return 'jobId' in holder || 'lease' in holder ? (holder as LockHolder) : undefined
}

export function holderOf(holder: LockHolder) {
  if ('jobId' in holder) {
    const { jobId, attempt } = holder
    return { holder: { $case: 'jobId', value: jobId } as const, attempt }
  }
  const { lease } = holder
  const leaseId = typeof lease === 'string' ? lease : lease?.id
  someText(leaseId, 'the lease of a lock')
  return { holder: { $case: 'leaseId', value: leaseId } as const, attempt: 0 }
}
