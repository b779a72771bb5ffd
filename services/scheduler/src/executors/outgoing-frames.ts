import type { CancelOrder } from '../domain/cancel-order.ts'
import type { AttemptRef, RunningJob } from '../domain/held-job.ts'

/** What a frame to the executor carries; it obeys the cancels last. */
export interface Outgoing {
  assignments: RunningJob[]
  cancels: CancelOrder[]
  fenced: AttemptRef[]
  acknowledged: AttemptRef[]
  drain: boolean
}

/** Estimated size at which a frame is sent and another begun; receivers take 16 MiB. */
const FRAME_BYTES_MAX = 1024 * 1024
/** What an assignment takes beside its parameters and labels, at most about. */
const ASSIGNMENT_BYTES = 1_000

/**
 * What waits to be sent to an executor: it gathers during a turn of the event loop and leaves as one frame, or as several where it
 * is large.
 */
export class OutgoingFrames {
  readonly #send: (frame: Outgoing) => void
  #next: Outgoing | undefined
  #closed = false

  constructor(send: (frame: Outgoing) => void) {
    this.#send = send
  }

  /** The frame that leaves with this turn. */
  frame(): Outgoing {
    if (this.#next === undefined) {
      this.#next = emptyFrame()
      setImmediate(() => this.#flush())
    }
    return this.#next
  }

  /** Sends nothing any more. */
  close(): void {
    this.#closed = true
  }

  #flush(): void {
    const frame = this.#next
    this.#next = undefined
    if (frame === undefined || this.#closed) return
    const rest = frame.assignments
    for (let size = fitting(rest); size < rest.length; size = fitting(rest)) {
      this.#send({ ...emptyFrame(), assignments: rest.splice(0, size) })
    }
    this.#send(frame)
  }
}

function emptyFrame(): Outgoing {
  return { assignments: [], cancels: [], fenced: [], acknowledged: [], drain: false }
}

/** How many of the jobs, from the first on, fit into one frame; at least one. */
function fitting(jobs: readonly RunningJob[]): number {
  let bytes = 0
  for (const [index, { params, labels, options, heartbeatData }] of jobs.entries()) {
    bytes += ASSIGNMENT_BYTES + (params.inline?.length ?? 0) + (heartbeatData?.inline?.length ?? 0)
    if (labels !== undefined) bytes += JSON.stringify(labels).length
    if (options !== undefined) bytes += JSON.stringify(options).length
    if (bytes > FRAME_BYTES_MAX && index > 0) return index
  }
  return jobs.length
}
