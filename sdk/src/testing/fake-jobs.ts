/** For tests: jobs in memory, and what a watch that begins is told of them. */
import type {
  Completion,
  JobEvent,
  JobMessage,
  JobSpec,
  JobState,
  Progress,
  WatchTarget,
} from '@offstage/proto/jobs'

/** A job as the fake keeps it. */
export interface FakeJob {
  readonly id: string
  readonly spec: JobSpec
  readonly owner: string
  state: JobState
  completion: Completion | undefined
  progress: Progress | undefined
  readonly messages: JobMessage[]
}

/** The first events of a target: where its job stands, what it said after the sequence number, its end. */
export function backlogOf(
  { jobId, afterSequence }: WatchTarget,
  jobs: ReadonlyMap<string, FakeJob>,
): JobEvent[] {
  const job = jobs.get(jobId)
  if (job === undefined) return [{ jobId, event: { $case: 'state', value: 0 } }]
  const { state, messages, progress, completion } = job
  const events: JobEvent[] = []
  if (completion === undefined) events.push({ jobId, event: { $case: 'state', value: state } })
  for (const message of messages.slice(afterSequence)) {
    events.push({ jobId, event: { $case: 'message', value: message } })
  }
  if (progress) events.push({ jobId, event: { $case: 'progress', value: progress } })
  if (completion) events.push({ jobId, event: { $case: 'completion', value: completion } })
  return events
}
