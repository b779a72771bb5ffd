import { msFrom } from '@offstage/proto/durations'
import {
  type Assignment,
  type AttachResponse,
  type AttemptRef as AttemptRefMessage,
  type Credit,
  DeclaredSchedule,
  type Hello,
} from '@offstage/proto/executor'
import { laneFrom } from '@offstage/sdk/jobs'
import { attemptKey } from '../domain/attempt.ts'
import type { Announcement, MethodAnnouncement } from '../domain/method.ts'
import { attemptRefMessage, methodDefinition, orderFromAssignment } from '../grpc/mapping.ts'
import type { Lane } from '../lanes/lane.ts'
import { STOP_GRACE_MS } from '../lanes/supervisor.ts'
import type { Attempts } from '../ports.ts'
import type { Outbox } from './outbox.ts'

const SOFTWARE = 'offstage-executor/0.1.0'

/** What it needs of a lane. */
type Slotted = Pick<Lane, 'name' | 'slots'>
/** The lane `inline` is always there. */
type LanesOf<L> = readonly [inline: L, ...others: L[]]

export interface DispatcherOptions<L extends Slotted> {
  readonly namespace: string
  /** For people. */
  readonly name: string
  readonly lanes: LanesOf<L>
  /** Whether the lane `process` is offered though no method asks for it. */
  readonly offersProcesses: boolean
  /** None: the default one. */
  readonly pools: readonly string[]
  /** Of the methods whose definitions say none. Default: they have none. */
  readonly methodVersion?: string | undefined
  readonly supervisor: Attempts
  readonly outbox: Outbox
}

/** Turns what the scheduler says into orders to the supervisor, and free slots into credits. */
export class Dispatcher<L extends Slotted = Lane> {
  readonly #options: DispatcherOptions<L>
  #methods: readonly MethodAnnouncement[] = []
  #lanes: LanesOf<L>
  #schedules: readonly DeclaredSchedule[] = []
  #closed = false

  constructor(options: DispatcherOptions<L>) {
    this.#options = options
    this.#lanes = options.lanes
  }

  get methods(): readonly MethodAnnouncement[] {
    return this.#methods
  }

  /** Those it takes jobs for: a scheduler that is older than the lane `process` refuses who has it. */
  get lanes(): LanesOf<L> {
    return this.#lanes
  }

  announce({ methods, schedules }: Announcement): void {
    const [inline, ...others] = this.#options.lanes
    const { methodVersion: version } = this.#options
    this.#methods =
      version === undefined ? methods : methods.map((method) => ({ version, ...method }))
    const hasProcesses =
      this.#options.offersProcesses || methods.some(({ lane }) => lane === 'process')
    this.#lanes = [inline, ...others.filter(({ name }) => name !== 'process' || hasProcesses)]
    this.#schedules = schedules.map((message) => DeclaredSchedule.decode(message))
  }

  /** Gives no more credits; what is assigned all the same is handed back. */
  close(): void {
    this.#closed = true
    for (const { slots } of this.#lanes) slots.close()
  }

  hello(): Omit<Hello, 'sessionId' | 'lostSessionId'> {
    const { namespace, name, pools, supervisor, outbox } = this.#options
    return {
      namespace,
      name,
      methods: this.#methods.map(methodDefinition),
      lanes: this.#lanes.map((lane) => ({ lane: laneFrom(lane.name), slots: lane.slots.slots })),
      labels: {},
      pools: [...pools],
      schedules: [...this.#schedules],
      foreground: false,
      lease: undefined,
      software: SOFTWARE,
      // An attempt whose result is not acknowledged must not look lost.
      running: [...supervisor.running, ...outbox.unacknowledged].map(attemptRefMessage),
    }
  }

  /** A new stream: earlier credits are void. */
  forgetCredits(): void {
    for (const { slots } of this.#lanes) slots.forgetCredits()
  }

  takeCredits(): Credit[] {
    const credits: Credit[] = []
    for (const { name, slots } of this.#lanes) {
      const owed = slots.takeCredits()
      if (owed > 0) credits.push({ lane: laneFrom(name), slots: owed })
    }
    return credits
  }

  obey(frame: AttachResponse): void {
    const { supervisor, outbox } = this.#options
    for (const assignment of frame.assignments) this.#assign(assignment)
    for (const order of frame.cancels) {
      const graceMs = order.grace === undefined ? STOP_GRACE_MS : msFrom(order.grace)
      this.#cancel(order, order.reason, graceMs)
    }
    for (const ref of frame.fenced) {
      supervisor.stop(attemptKey(ref), { kind: 'fenced' }, STOP_GRACE_MS)
      outbox.forgotten(ref)
    }
    for (const ref of frame.acknowledged) outbox.forgotten(ref)
  }

  #assign(assignment: Assignment): void {
    const { supervisor, outbox } = this.#options
    const order = orderFromAssignment(assignment)
    // After a break the scheduler may say again what had arrived.
    const isKnown = supervisor.has(order.key) || outbox.hasResult(order.key)
    if (!isKnown && !this.#closed) {
      supervisor.start(order)
      return
    }
    supervisor.lane(order.lane).slots.refuse()
    // Nothing else may come that would bring the credit along.
    outbox.creditsChanged()
    if (!isKnown) outbox.handedBack(order)
  }

  #cancel(ref: AttemptRefMessage, reason: string, graceMs: number): void {
    const { supervisor, outbox } = this.#options
    const key = attemptKey(ref)
    if (supervisor.has(key)) supervisor.stop(key, { kind: 'canceled', reason }, graceMs)
    // An answer all the same, so that a cancel always ends (guarantee 7).
    else if (!outbox.hasResult(key)) {
      outbox.ended(
        { key, jobId: ref.jobId, attempt: ref.attempt },
        { kind: 'canceled', text: 'it was not running' },
      )
    }
  }
}
