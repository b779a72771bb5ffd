import type { BidiCall } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { inParts } from '../domain/answer-size.ts'
import { isJobId } from '../domain/ids.ts'
import { completionBytes, messageBytes, progressBytes } from '../domain/wire-size.ts'
import { invalidField } from '../refusals.ts'
import { JOBS_PER_READ_MAX, type JobWatch, type WatchEvent } from '../waits/job-watch.ts'
import { watchEventTo } from './job-mapping.ts'
import { afterSequenceFrom } from './mapping.ts'
import { untilAborted } from './until-aborted.ts'

/** An event that carries nothing but a state. */
const EVENT_BYTES = 50

/** Of the first read; what comes of it says whether the next may be larger. */
const FIRST_JOBS_MAX = 10

/** What waits for a slow reader is what was read, so large ends are read few at a time. */
function nextJobsMax(jobsMax: number, partCount: number): number {
  return partCount > 1 ? Math.ceil(jobsMax / 2) : Math.min(jobsMax * 2, JOBS_PER_READ_MAX)
}

/**
 * Serves one watch: requests add and remove jobs while events flow. It ends when the caller has half-closed and
 * every watched job has ended, with the call, or with the error of a read: what was read and not told dies with the
 * watch, so the caller's next one, which begins with a read of every job, misses nothing (guarantee 5).
 */
export async function watchJobs(
  call: BidiCall<proto.WatchJobsRequest, proto.WatchJobsResponse>,
  newWatch: (namespace: string) => JobWatch,
  signal: AbortSignal,
): Promise<void> {
  let watch: JobWatch | undefined
  let namespace: string | undefined
  const stop = new AbortController()
  const ending = AbortSignal.any([signal, stop.signal])
  let halfClosed = false
  let pumping: Promise<void> | undefined

  const pump = async (watch: JobWatch) => {
    let jobsMax = FIRST_JOBS_MAX
    while (!ending.aborted && !(halfClosed && watch.size === 0)) {
      await watch.changed(ending)
      const parts = [...inParts(await watch.read(jobsMax), eventBytes)]
      jobsMax = nextJobsMax(jobsMax, parts.length)
      for (const events of parts) {
        if (ending.aborted) return
        await call.write({ events: events.map(watchEventTo) })
      }
      if (!ending.aborted && watch.takeBeat()) await call.write({ events: [] })
    }
  }

  try {
    for await (const request of untilAborted(call.requests, stop.signal)) {
      const named = request.namespace || 'default'
      namespace ??= named
      if (request.namespace !== '' && named !== namespace) {
        throw invalidField('namespace', 'is another than that of the first request')
      }
      watch ??= newWatch(namespace)
      changeTargets(watch, request)
      pumping ??= pump(watch).catch((error) => stop.abort(error))
    }
    halfClosed = true
    watch?.wake()
    await pumping
    stop.signal.throwIfAborted()
  } finally {
    stop.abort()
    watch?.[Symbol.dispose]()
    await pumping
  }
}

/** The same for jobs that are all named at the start: ends when every one has. */
export async function* followJobs(
  { targets }: proto.FollowJobsRequest,
  watch: JobWatch,
  signal: AbortSignal,
): AsyncGenerator<proto.FollowJobsResponse, void, undefined> {
  using watching = watch
  if (targets.length === 0 || targets.length > LIMITS.batchMax) {
    throw invalidField('targets', `must be 1 to ${LIMITS.batchMax}`)
  }
  addTargets(watching, 'targets', targets)
  while (watching.size > 0 && !signal.aborted) {
    await watching.changed(signal)
    for (const events of inParts(await watching.read(), eventBytes)) {
      yield { events: events.map(watchEventTo) }
    }
    if (watching.takeBeat()) yield { events: [] }
  }
}

function eventBytes(event: WatchEvent): number {
  switch (event.kind) {
    case 'progress':
      return progressBytes(event.progress)
    case 'message':
      return messageBytes(event.message)
    case 'completed':
      return completionBytes(event.completion)
    default:
      return EVENT_BYTES
  }
}

/** Removals first: a job that one request takes out and adds is watched afresh, not lost. */
function changeTargets(watch: JobWatch, request: proto.WatchJobsRequest): void {
  // One that is no job id was never added.
  for (const jobId of request.removeJobIds) if (isJobId(jobId)) watch.remove(jobId)
  if (watch.size + request.add.length > LIMITS.watchedMax) {
    throw invalidField('add', `would watch more than ${LIMITS.watchedMax} jobs on one stream`)
  }
  addTargets(watch, 'add', request.add)
}

function addTargets(watch: JobWatch, field: string, targets: readonly proto.WatchTarget[]): void {
  for (const [index, { jobId, afterSequence }] of targets.entries()) {
    if (!isJobId(jobId)) {
      throw invalidField(`${field}[${index}].job_id`, 'must be a job id, a lower-case UUID')
    }
    watch.add(jobId, afterSequenceFrom(afterSequence, `${field}[${index}].after_sequence`))
  }
}
