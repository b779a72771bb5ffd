import type { JobMessage } from './events.ts'
import type { UnfinishedStateName } from './job-state.ts'

/** Why a job failed (row J14). */
export interface JobFault {
  /** One sentence for the user. */
  readonly brief: string
  /** Stack and causes, for the owner and administrators; empty for others. */
  readonly detail: string
  /** An UPPER_SNAKE reason where Offstage itself ended the job, else the class name of what was thrown. */
  readonly reason: string
}

/**
 * How a cancel ended (row J10): the handler never started; it stopped, by itself or by force; it
 * finished before the cancel reached it.
 */
export type CancelOutcomeName = 'never-started' | 'stopped' | 'finished-anyway'

interface Ended<R> {
  /** True: told apart from a wait whose time was up before the end. */
  readonly isCompleted: true
  /** The result; `null` for a procedure (row A4) and where there is none. Large ones were read from temp storage (row L4). */
  readonly result: R | null
  /** The additional result where one was asked for and given (row L5), else `null`. */
  readonly additionalResult: unknown
  /** Where the result lies in temp storage (row L4); not set where it came along. It stays there until its end; see `takeResult`. */
  readonly resultAddress?: string
  /** Where the additional result lies, in the same way. */
  readonly additionalResultAddress?: string
  /** All messages of the job in order (row J15), at most the newest 10,000; empty where they were not asked for. */
  readonly messages: readonly JobMessage[]
  /** Set where a cancel was asked for. */
  readonly cancelOutcome?: CancelOutcomeName
  /** When the job ended, by the database's clock. */
  readonly finishTime?: Date
  /** True where the caller may see the job and not its payloads (row J23): results are `null`, an error has no detail. */
  readonly payloadHidden?: true
}

/** The end of a job (row L3), by the `state` it ended in. A canceled job is `canceled`, not an error. */
export type Completion<R = unknown> =
  | (Ended<R> & { readonly state: 'succeeded'; readonly result: R; readonly error: null })
  | (Ended<R> & { readonly state: 'failed'; readonly error: JobFault })
  | (Ended<R> & { readonly state: 'canceled'; readonly error: null })

/** A wait whose time was up before the job's end: an answer, not an error (row J9). */
export interface Unfinished {
  readonly isCompleted: false
  /** Where the job stands now. */
  readonly state: UnfinishedStateName
}
