/** For tests: jobs in memory that change as a test says, and the streams that watch them. */
import { type ServerDuplexStream, status } from '@grpc/grpc-js'
import {
  type Completion,
  type JobEvent,
  JobMessage,
  type JobState,
  Progress,
  type WatchJobsRequest,
  type WatchJobsResponse,
} from '@offstage/proto/jobs'
import { backlogOf, type FakeJob } from './fake-jobs.ts'
import { refusalOf } from './fake-server.ts'

interface WatchState {
  readonly call: ServerDuplexStream<WatchJobsRequest, WatchJobsResponse>
  readonly targets: Set<string>
  readonly requests: WatchJobsRequest[]
  /** What each target was added with. */
  readonly added: { jobId: string; afterSequence: number }[]
}

export class FakeWatches {
  readonly jobs = new Map<string, FakeJob>()
  readonly watches: WatchState[] = []
  watchesOpen = 0
  /** Whether events are pushed; a scheduler that lost its hints pushes none. */
  pushes = true

  /** The job; fails where there is none. */
  jobOf(id: string): FakeJob {
    const job = this.jobs.get(id)
    if (job === undefined) throw new Error(`the fake has no job ${id}`)
    return job
  }

  setState(id: string, state: JobState): void {
    this.jobOf(id).state = state
    this.push([{ jobId: id, event: { $case: 'state', value: state } }])
  }

  report(id: string, percent: number, revision: number): void {
    const progress = Progress.fromPartial({ percent, revision, text: `at ${percent}` })
    this.jobOf(id).progress = progress
    this.push([{ jobId: id, event: { $case: 'progress', value: progress } }])
  }

  say(id: string, text: string): void {
    const { messages } = this.jobOf(id)
    const message = JobMessage.fromPartial({ sequence: messages.length + 1, text })
    messages.push(message)
    this.push([{ jobId: id, event: { $case: 'message', value: message } }])
  }

  end(id: string, completion: Completion): void {
    const job = this.jobOf(id)
    job.completion = completion
    job.state = completion.state
    this.push([{ jobId: id, event: { $case: 'completion', value: completion } }])
  }

  /** Sends events to the streams that watch their jobs. */
  push(events: JobEvent[]): void {
    if (!this.pushes) return
    for (const { call, targets } of this.watches) {
      const watched = events.filter(({ jobId }) => targets.has(jobId))
      if (watched.length > 0 && call.writable) call.write({ events: watched })
    }
  }

  /** Says on every stream that nothing was missed. */
  beat(): void {
    for (const { call } of this.watches) if (call.writable) call.write({ events: [] })
  }

  /** Breaks every open watch stream. */
  breakWatches(): void {
    for (const { call } of this.watches) {
      if (call.writable)
        call.emit('error', refusalOf({ code: status.UNAVAILABLE, reason: 'SHUTTING_DOWN' }))
    }
  }

  /** Serves one watch until it ends. */
  protected serveWatch(call: ServerDuplexStream<WatchJobsRequest, WatchJobsResponse>): void {
    const watch: WatchState = { call, requests: [], targets: new Set(), added: [] }
    this.watches.push(watch)
    this.watchesOpen += 1
    call.once('close', () => {
      this.watchesOpen -= 1
    })
    call.on('data', (request: WatchJobsRequest) => {
      watch.requests.push(request)
      const { add, removeJobIds } = request
      for (const id of removeJobIds) watch.targets.delete(id)
      for (const target of add) {
        watch.added.push(target)
        watch.targets.add(target.jobId)
        if (this.pushes) call.write({ events: backlogOf(target, this.jobs) })
      }
    })
    call.on('end', () => call.end())
    call.on('error', () => {})
  }
}
