/**
 * One executor's stream from its hello to its end.
 *
 * Invariants:
 *  1. Nothing is sent to the executor before its attachment, and what its session still runs, is recorded.
 *  2. What an attempt reported before its end is recorded before its end.
 *  3. A session has one stream: the one before it is ended, and its credits with it.
 *  4. When the stream ends, the attachment takes nothing more; its jobs stay its session's until the session attaches again
 *     or the lease runs out.
 *  5. An executor that drains and then ends its stream has gone for good: once what it brought is recorded, what else it
 *     holds, such as an assignment that crossed its word, goes back into the queue, and its lease is over.
 */
import type { Subscription } from '@offstage/kit/bus'
import type { Logger } from '@offstage/kit/telemetry'
import type { ActBy } from '../domain/act.ts'
import type { AttemptResult } from '../domain/attempt-result.ts'
import type { AttemptRef, MessageRecord, ProgressRecord } from '../domain/held-job.ts'
import type { AttachmentId, SessionId, SessionKey } from '../domain/ids.ts'
import type { MethodDefinition } from '../domain/method-definition.ts'
import { spelledPool } from '../domain/pool.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { AttachmentStore } from '../ports/executors.ts'
import type { SweepStore } from '../ports/sweeps.ts'
import { attachElsewhere, invalidField, tooManyExecutors } from '../refusals.ts'
import { persist } from '../statements/persist.ts'
import { AttachTurns } from './attach-turns.ts'
import { Attachment } from './attachment.ts'
import type { Attachments } from './attachments.ts'
import type { Credit, Slots } from './credits.ts'
import type { Intake } from './intake.ts'
import { extraLeaseRounds } from './lease-rounds.ts'
import type { Methods } from './methods.ts'
import { oneAtATime } from './one-at-a-time.ts'
import type { Outgoing } from './outgoing-frames.ts'
import type { Reports } from './reports.ts'
import { sendCancels } from './send-cancels.ts'

/** Streams that attach at once. They take connections which lease renewals need too. */
const ATTACHING_MAX = 2
/** Executors on one replica; the lease renewal names each of them. */
const ATTACHMENTS_MAX = 10_000

export interface Hello {
  readonly sessionId: SessionId
  readonly sessionKey: SessionKey
  readonly lostSessionKey: SessionKey | undefined
  readonly namespace: string
  readonly name: string
  readonly software: string
  readonly labels: Readonly<Record<string, string>>
  readonly methods: readonly MethodDefinition[]
  readonly lanes: readonly Slots[]
  /** Empty stands for the default one. */
  readonly pools: readonly string[]
  /** By the method, of those that have one. */
  readonly versionOf: ReadonlyMap<string, string>
  /** The lease it asks for; undefined: that of the scheduler. */
  readonly leaseMs: number | undefined
  readonly running: readonly AttemptRef[]
}

/** What one frame of an executor says. */
export interface Incoming {
  readonly credits: readonly Credit[]
  readonly results: readonly AttemptResult[]
  readonly progress: readonly Omit<ProgressRecord, 'attachmentId'>[]
  readonly messages: readonly Omit<MessageRecord, 'attachmentId'>[]
  readonly waiting: readonly (AttemptRef & { readonly waiting: boolean })[]
  readonly handedBack: readonly AttemptRef[]
  readonly draining: boolean
  /** Who asked for that; undefined: the executor itself. */
  readonly drainedBy: ActBy | undefined
}

export interface ServeExecutorOptions {
  readonly attachments: Attachments
  readonly attachmentStore: AttachmentStore
  readonly sweeps: SweepStore
  readonly methods: Methods
  readonly intake: Intake
  readonly reports: Reports
  readonly events: JobEvents
  readonly schedulerName: string
  /** Of who asks for no longer one. */
  readonly leaseMs: number
  readonly newId: () => string
  readonly log: Logger
  onError(error: unknown): void
}

export interface ExecutorConnection {
  /** Takes in one frame; awaited before the next is read. */
  receive(frame: Incoming): Promise<void>
  /** The executor has ended the stream in order. */
  leave(): Promise<void>
  /** The stream has ended. */
  close(): void
}

/** The way back to the executor. */
export interface ExecutorStream {
  welcome(sessionId: SessionId, leaseMs: number): void
  send(frame: Outgoing): void
  /** Ends the stream: the executor attaches anew. */
  end(): void
  /** Aborts when the stream has ended or is broken. */
  readonly signal: AbortSignal
}

export type ServeExecutor = (hello: Hello, stream: ExecutorStream) => Promise<ExecutorConnection>

export function createServeExecutor(options: ServeExecutorOptions): ServeExecutor {
  const turns = new AttachTurns(ATTACHING_MAX)
  return (hello, stream) =>
    turns.take(hello.sessionKey, stream.signal, () => attach(options, hello, stream))
}

async function attach(
  options: ServeExecutorOptions,
  hello: Hello,
  stream: ExecutorStream,
): Promise<ExecutorConnection> {
  const { attachments, methods, events } = options
  if (!attachments.open) throw attachElsewhere()
  if (attachments.size >= ATTACHMENTS_MAX) throw tooManyExecutors(ATTACHMENTS_MAX)
  const attachment = new Attachment({ ...hello, id: options.newId() as AttachmentId, ...stream })
  endStreamsOf(options, hello.sessionKey)
  if (await methods.announce(hello.namespace, hello.methods)) {
    await options.intake.gatesChanged(hello.namespace)
  }
  await adopt(options, attachment, hello)
  // Its row is left to the sweep.
  stream.signal.throwIfAborted()
  if (!attachments.open) throw attachElsewhere()
  stream.welcome(hello.sessionId, Math.max(options.leaseMs, hello.leaseMs ?? 0))
  attachments.add(attachment)
  const { running, laneOf } = attachment
  const counts = { methods: laneOf.size, running: running.size }
  options.log.info({ ...identityOf(attachment), ...counts }, 'executor attached')
  options.intake.lookFor(hello.namespace, laneOf.keys())
  const onCancel = events.onCancelRequested(
    attachment.id,
    oneAtATime(() =>
      sendCancels(options.sweeps, attachments, [attachment.id], options.leaseMs).catch(
        options.onError,
      ),
    ),
  )
  const made = connection(options, attachment, onCancel)
  // At once, though what it said last may still be taken in: nobody serves it any more.
  stream.signal.addEventListener('abort', made.close, { once: true })
  return made
}

function identityOf({ id, sessionId, namespace, name }: Attachment) {
  return { executor: name, session: sessionId, attachment: id, namespace }
}

/** Invariant 3. What is on its way to the executor is in its hello, or is requeued. */
function endStreamsOf({ attachments }: ServeExecutorOptions, sessionKey: SessionKey): void {
  for (const attachment of attachments.all()) {
    if (attachment.sessionKey !== sessionKey) continue
    attachment.detach()
    attachments.remove(attachment)
    attachment.close()
  }
}

/** Moves over what the session still runs; the rest of what it held goes back into the queue. */
async function adopt(
  { attachmentStore, schedulerName, intake, leaseMs }: ServeExecutorOptions,
  attachment: Attachment,
  hello: Hello,
): Promise<void> {
  const { running } = hello
  const methods = hello.methods.map(({ name }) => name)
  const pools = hello.pools.map(spelledPool)
  const schemas = Object.fromEntries(attachment.schemaOf)
  const versions = Object.fromEntries(hello.versionOf)
  const extraRounds = extraLeaseRounds(leaseMs, hello.leaseMs)
  const record = {
    ...{ ...hello, id: attachment.id, methods, pools, schemas, versions, extraRounds },
    scheduler: schedulerName,
  }
  const { adopted, requeued } = await attachmentStore.attach(record, running)
  for (const job of adopted.jobs) attachment.adopt(job)
  for (const { jobId, attempt } of running) {
    if (!attachment.running.has(jobId)) attachment.fence({ jobId, attempt })
  }
  intake.failUnreadable(adopted.unreadable)
  intake.changed(requeued)
}

function connection(
  options: ServeExecutorOptions,
  attachment: Attachment,
  onCancel: Subscription,
): ExecutorConnection {
  const { intake, reports, onError } = options
  let closed = false
  let draining = false
  /** What it has brought and handed back, until it is recorded. */
  const unrecorded = new Set<Promise<void>>()
  return {
    receive: (frame) => attachment.hear(() => takeIn(frame)),
    leave,
    close,
  }

  async function takeIn(frame: Incoming): Promise<void> {
    if (frame.draining) draining = true
    if (frame.draining && attachment.taking) {
      attachment.stopTaking()
      options.attachmentStore.markDraining(attachment.id, frame.drainedBy).catch(onError)
    }
    // Slots are free for others while what freed them is recorded: a parent that waits, above all.
    takeCredits(attachment, frame.credits)
    intake.slotsFreed(frame.credits)
    await recordReports(reports, attachment, frame)
    // Results are not awaited: the next frame's share the next statement.
    if (frame.results.length > 0) {
      note(intake.record(attachment, frame.results).catch(onError))
    }
    if (frame.handedBack.length > 0) {
      const attempts = frame.handedBack
        .filter(({ jobId, attempt }) => attachment.running.get(jobId)?.attempt === attempt)
        .map((ref) => ({ ...ref, attachmentId: attachment.id }))
      for (const { jobId } of attempts) attachment.running.delete(jobId)
      note(intake.requeue(attempts))
    }
  }

  function note(recorded: Promise<void>): void {
    unrecorded.add(recorded)
    recorded.finally(() => unrecorded.delete(recorded))
  }

  /** Invariant 5. */
  async function leave(): Promise<void> {
    const { attachments, attachmentStore } = options
    if (!draining) return
    // However long that takes: its lease must not take what it has handed back.
    await attachment.hear(async () => void (await Promise.all(unrecorded)))
    // One that was told to attach elsewhere comes back with what it runs.
    if (closed || !attachments.open) return
    close()
    const left = [...attachment.running.values()].map(({ id, attempt }) => ({ jobId: id, attempt }))
    await intake.requeue(left.map((ref) => ({ ...ref, attachmentId: attachment.id })))
    await persist(
      () => attachmentStore.end(attachment.id),
      () => !attachments.open,
      onError,
    )
  }

  function close(): void {
    if (closed) return
    closed = true
    const { running } = attachment
    options.log.info({ ...identityOf(attachment), running: running.size }, 'executor detached')
    attachment.detach()
    options.attachments.remove(attachment)
    onCancel.unsubscribe()
  }
}

function takeCredits(attachment: Attachment, credits: readonly Credit[]): void {
  for (const [index, credit] of credits.entries()) {
    const fault = attachment.creditFault(credit)
    if (fault !== undefined) {
      throw invalidField(`credits[${index}].${fault.field}`, fault.description)
    }
    attachment.grant(credit.lane, credit.slots)
  }
}

async function recordReports(
  reports: Reports,
  attachment: Attachment,
  { progress, messages, waiting, results }: Incoming,
): Promise<void> {
  if (progress.length + messages.length + waiting.length === 0) return
  const { timed } = attachment
  for (const { jobId, attempt } of progress) timed.heard(jobId, attempt)
  for (const { jobId, attempt } of messages) timed.heard(jobId, attempt)
  for (const each of waiting) {
    timed.waits(each.jobId, each.attempt, each.waiting)
    attachment.waits(each, each.waiting)
  }
  await Promise.all([
    reports.progress(attachment, progress),
    reports.messages(attachment, messages),
    reports.waiting(attachment, waiting, results),
  ])
}
