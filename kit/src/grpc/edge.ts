import type { Authenticate } from '../auth/mod.ts'
import type { Logger } from '../telemetry/mod.ts'
import type { AbortCause } from './call-aborted.ts'
import type { CallLimits } from './call-limits.ts'
import type { MemoryPressure } from './memory-pressure.ts'
import type { SlowReaders } from './slow-readers.ts'
import type { StandingStreams } from './standing-streams.ts'

interface Abortable {
  abort(why: AbortCause): void
}

/** The server as its calls see it. */
export interface Edge {
  readonly authenticate: Authenticate
  readonly log: Logger
  /** Calls whose handlers listen to their signal. */
  readonly open: Set<Abortable>
  stopping: boolean
  readonly limits: CallLimits
  readonly readers: SlowReaders
  readonly memory: Pick<MemoryPressure, 'isShort'>
  readonly standing: StandingStreams
}
