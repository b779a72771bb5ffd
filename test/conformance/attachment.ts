/**
 * One Attach stream, from the scheduler's side: what was heard, and what holds of it whatever happens. What does not is noted in
 * `faults`, and fails the scenario in which it came.
 */
import {
  type AttachRequest,
  AttachResponse,
  type AttemptRef,
  type AttemptResult,
  type Hello,
  type MessageReport,
  type ProgressReport,
} from '@offstage/proto/executor'
import { Lane } from '@offstage/proto/jobs'
import { awaited, must } from './verdict.ts'

export interface AttachmentLink {
  send(frame: AttachResponse): void
  /** Ends the call: in good order, or with a fault. */
  over(fault?: Error): void
  /** `authorization` of the call; empty for none. */
  readonly bearer: string
}

export class Attachment {
  readonly #link: AttachmentLink
  readonly frames: AttachRequest[] = []
  /** When each came. */
  readonly heardAt: number[] = []
  readonly faults: string[] = []
  readonly #ended = new Set<string>()
  readonly #acknowledged = new Set<string>()
  readonly #credits = new Map<Lane, number>()
  isOpen = true
  /** Closed by the executor, in good order. */
  isLeft = false

  constructor(link: AttachmentLink) {
    this.#link = link
  }

  get bearer(): string {
    return this.#link.bearer
  }

  get hello(): Hello {
    const hello = this.frames[0]?.hello
    must(hello !== undefined, 'the first message of a stream must bring `hello`')
    return hello
  }

  get isDraining(): boolean {
    return this.frames.some(({ draining }) => draining)
  }

  hear(frame: AttachRequest): void {
    this.frames.push(frame)
    this.heardAt.push(performance.now())
    for (const report of [...frame.messages, ...frame.progress]) this.#report(report)
    for (const result of frame.results) this.#end(result)
    if (frame.hello !== undefined && this.frames.length > 1) this.faults.push('it said hello twice')
    for (const { lane, slots } of frame.credits) this.#credit(lane, slots)
  }

  say(saying: Partial<AttachResponse>): void {
    const frame = { ...AttachResponse.create(), ...saying }
    for (const ref of frame.acknowledged) this.#acknowledged.add(nameOf(ref))
    for (const { lane } of frame.assignments) this.#credit(lane, -1)
    this.#link.send(frame)
  }

  acknowledge(...refs: readonly AttemptRef[]): void {
    this.say({ acknowledged: refs.map(({ jobId, attempt }) => ({ jobId, attempt })) })
  }

  end(fault?: Error): void {
    this.#link.over(fault)
  }

  /** Permissions that are not used up. */
  credits(lane: Lane = Lane.LANE_INLINE): number {
    return this.#credits.get(lane) ?? 0
  }

  slots(lane: Lane = Lane.LANE_INLINE): number {
    return this.hello.lanes.find((each) => each.lane === lane)?.slots ?? 0
  }

  results(ref: AttemptRef): AttemptResult[] {
    return this.frames.flatMap(({ results }) => results.filter(isOf(ref)))
  }

  messages(ref: AttemptRef): MessageReport[] {
    return this.frames.flatMap(({ messages }) => messages.filter(isOf(ref)))
  }

  progress(ref: AttemptRef): ProgressReport[] {
    return this.frames.flatMap(({ progress }) => progress.filter(isOf(ref)))
  }

  /** What was said of its waits for children, in order. */
  waiting(ref: AttemptRef): boolean[] {
    return this.frames.flatMap(({ waiting }) =>
      waiting.filter(isOf(ref)).map((report) => report.waiting),
    )
  }

  isHandedBack(ref: AttemptRef): boolean {
    return this.frames.some(({ handedBack }) => handedBack.some(isOf(ref)))
  }

  result(ref: AttemptRef): Promise<AttemptResult> {
    return awaited('the result of an attempt', () => this.results(ref)[0])
  }

  #report(ref: AttemptRef): void {
    const isOver = this.#ended.has(nameOf(ref)) || this.#acknowledged.has(nameOf(ref))
    if (isOver) this.faults.push('it reported on an attempt whose end it had told')
  }

  #end(ref: AttemptRef): void {
    if (this.#ended.has(nameOf(ref))) this.faults.push('it told the end of an attempt twice')
    this.#ended.add(nameOf(ref))
  }

  #credit(lane: Lane, slots: number): void {
    const credits = this.credits(lane) + slots
    this.#credits.set(lane, credits)
    if (credits > this.slots(lane)) this.faults.push('it gave more credits than its lane has slots')
  }
}

function nameOf({ jobId, attempt }: AttemptRef): string {
  return `${jobId}/${attempt}`
}

function isOf(ref: AttemptRef): (each: AttemptRef) => boolean {
  return ({ jobId, attempt }) => jobId === ref.jobId && attempt === ref.attempt
}
