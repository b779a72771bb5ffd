import { OffstageError } from '@offstage/sdk'

/** What the command says by its exit code; those above 60 are of sysexits.h. */
export const EXIT = {
  done: 0,
  /** The job failed, or a call was refused. */
  failed: 1,
  canceled: 2,
  /** The time of --timeout was up before the end of the job. */
  unfinished: 3,
  usage: 64,
  unreachable: 69,
  config: 78,
} as const

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof OffstageError)) return EXIT.failed
  const away = error.reason === 'SERVICE_UNREACHABLE' || error.reason === 'DEADLINE_EXCEEDED'
  return away ? EXIT.unreachable : EXIT.failed
}
