/** Jobs that were started by SQL (row J24) and not queued yet: what SQL could not find out of them is found out first. */
import type { StartCommand } from './start-command.ts'

/** What a job of this kind says that it goes by. */
export interface UncheckedStart
  extends Pick<
    StartCommand,
    'namespace' | 'method' | 'owner' | 'key' | 'pool' | 'params' | 'labels'
  > {
  readonly id: string
}

/** It may be queued, with what was found out. */
export interface CheckedStart {
  readonly id: string
  readonly limitKey: string | undefined
  /** Undefined: those of the start. */
  readonly labels: Readonly<Record<string, string>> | undefined
  /** See `StartOptions`. */
  readonly misfits: readonly string[] | undefined
}
