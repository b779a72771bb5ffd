import { ConfigError } from '@offstage/kit/config'
import { OffstageError } from '@offstage/sdk'

/** What the command says by its exit code; those above 60 are of sysexits.h. */
export const EXIT = {
  done: 0,
  /** The job failed, or a call was refused. */
  failed: 1,
  canceled: 2,
  /** The time of --timeout was up before the end of the job. */
  unfinished: 3,
  /** The job succeeded, but its result is not what it says it is; it was printed as it is. */
  unreadable: 4,
  usage: 64,
  unreachable: 69,
  config: 78,
  /** Ctrl-C, as shells have it; a job that was waited for goes on. */
  interrupted: 130,
} as const

const AWAY: ReadonlySet<string> = new Set([
  'SERVICE_UNREACHABLE',
  'DEADLINE_EXCEEDED',
  'DATABASE_UNAVAILABLE',
  'SHUTTING_DOWN',
])

export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT.config
  if (!(error instanceof OffstageError)) return EXIT.failed
  // An address of another service is no better the next time.
  if (error.reason === 'WRONG_SERVICE') return EXIT.config
  return AWAY.has(error.reason) ? EXIT.unreachable : EXIT.failed
}
