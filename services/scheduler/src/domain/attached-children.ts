/** What becomes of a job whose handler has returned and that ends with the last of its attached children (row A5). */
import { DEADLINE_REASONS } from './deadline.ts'
import type { JobError } from './job.ts'
import { JobState, TRANSITIONS } from './job-state.ts'

/** The numbers of offstage.jobs.v1.ChildrenPolicy. */
export const CHILDREN_POLICIES = { all: 1, first: 2, ignore: 3 } as const
export type ChildrenPolicy = keyof typeof CHILDREN_POLICIES

export function childrenPolicyOf(number: number): ChildrenPolicy | undefined {
  return CHILDREN_POLICY_NAMES.find((name) => CHILDREN_POLICIES[name] === number)
}
export const CHILDREN_POLICY_NAMES = Object.keys(CHILDREN_POLICIES) as ChildrenPolicy[]

/** A parent as it stands at one moment. */
export interface WaitingParent {
  readonly id: string
  /** How many attached children it ever had: where there is one more by now, this is told of a moment that is over. */
  readonly attachedCount: number
  readonly policy: ChildrenPolicy
  readonly cancelRequested: boolean
  /** Past its total deadline. */
  readonly isOverdue: boolean
  /** Some have not ended. */
  readonly hasOpen: boolean
  /** Some have failed, or were canceled. */
  readonly hasFailed: boolean
}

export type ParentOutcome =
  | 'waits'
  | 'succeeds'
  | 'fails-by-child'
  | 'fails-by-deadline'
  | 'is-canceled'

export function parentOutcome(parent: WaitingParent): ParentOutcome {
  const { policy, hasOpen, hasFailed, cancelRequested, isOverdue } = parent
  if (cancelRequested) {
    // Where nothing was stopped by it, it came too late.
    const end = hasFailed ? 'is-canceled' : 'succeeds'
    return hasOpen ? 'waits' : end
  }
  if (hasFailed && policy !== 'ignore' && (policy === 'first' || !hasOpen)) return 'fails-by-child'
  if (!hasOpen) return 'succeeds'
  return isOverdue ? 'fails-by-deadline' : 'waits'
}

/** An attached child that did not succeed. */
export interface FailedChild {
  readonly id: string
  readonly method: string
  readonly state: JobState
  /** Empty for one that was canceled without a word. */
  readonly brief: string
}

/** How a parent ends. */
export interface ParentEnd {
  readonly id: string
  readonly attachedCount: number
  readonly state: JobState
  readonly error: JobError | undefined
}

const BRIEF_CHARACTERS_MAX = 800

/** @param failed the first of those that did not succeed, and how many they are; looked at where it fails by a child */
export function parentEnd(
  { id, attachedCount }: WaitingParent,
  outcome: Exclude<ParentOutcome, 'waits'>,
  failed: { readonly children: readonly FailedChild[]; readonly count: number },
): ParentEnd {
  switch (outcome) {
    case 'succeeds':
      return { id, attachedCount, state: TRANSITIONS.complete.to, error: undefined }
    case 'is-canceled':
      return { id, attachedCount, state: TRANSITIONS.cancelWaiting.to, error: undefined }
    case 'fails-by-child':
      return { id, attachedCount, state: TRANSITIONS.failAttached.to, error: childError(failed) }
    case 'fails-by-deadline': {
      const brief =
        'The job was not done within its total deadline: it waited for attached children.'
      const error = { brief, detail: '', reason: DEADLINE_REASONS.total, retryable: false }
      return { id, attachedCount, state: TRANSITIONS.failAttached.to, error }
    }
  }
}

function childError({ children, count }: Parameters<typeof parentEnd>[2]): JobError {
  const lines = children.map(lineOf)
  const more = count - lines.length
  const brief =
    count === 1
      ? `An attached child did not succeed: ${lines[0]}`
      : `${count} attached children did not succeed, the first: ${lines[0]}`
  const detail = more > 0 ? [...lines, `and ${more} more`] : lines
  return {
    brief: brief.slice(0, BRIEF_CHARACTERS_MAX),
    detail: detail.join('\n'),
    reason: 'ATTACHED_CHILD_FAILED',
    retryable: false,
  }
}

function lineOf({ id, method, state, brief }: FailedChild): string {
  const what = state === JobState.canceled ? 'was canceled' : 'failed'
  return `job ${id} (${method}) ${what}${brief === '' ? '' : `: ${brief}`}`
}
