/** What a start is, and what becomes of it. */
import type { Refusal } from '@offstage/kit/grpc'
import type { JobStanding } from '../domain/job.ts'
import type { JobState } from '../domain/job-state.ts'
import type { StartCommand } from '../domain/start-command.ts'

export interface StartItem {
  readonly command: StartCommand
  /** Called in the turn of the commit, before an executor can have answered. */
  onStarted?(id: string): void
}

export type StartOutcome =
  | {
      readonly kind: 'started'
      readonly id: string
      readonly state: JobState
      /** The executor attached here runs it, so its end will be known here first. */
      readonly here: boolean
    }
  | { readonly kind: 'existing'; readonly standing: JobStanding }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** One that cannot be followed, for want of room, is answered without its end. */
export function tellStarted(
  { onError }: { onError(error: unknown): void },
  item: StartItem,
  id: string,
): void {
  try {
    item.onStarted?.(id)
  } catch (error) {
    onError(error)
  }
}
