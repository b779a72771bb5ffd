/**
 * Events as they go over the bus: hints, whose loss costs latency and never a job. Payloads are ids and states,
 * never user data. Subjects are those of docs/events.md.
 */
import { randomUUID } from 'node:crypto'
import type { Bus, Subscription } from '@offstage/kit/bus'
import { JobState } from '../domain/job-state.ts'

const STATE_NAMES: Readonly<Record<JobState, string>> = {
  [JobState.scheduled]: 'scheduled',
  [JobState.queued]: 'queued',
  [JobState.running]: 'running',
  [JobState.waiting]: 'waiting',
  [JobState.succeeded]: 'succeeded',
  [JobState.failed]: 'failed',
  [JobState.canceled]: 'canceled',
}

export type JobHint = 'state' | 'progress' | 'messages'

export interface JobEvents {
  /** A job entered a state, reported progress or recorded messages. */
  job(
    namespace: string,
    jobId: string,
    what: JobState | 'progress' | 'messages',
    traceparent?: string,
  ): void
  /** Jobs of a method were queued. */
  queueReady(namespace: string, method: string): void
  /** Something that holds back jobs of the namespace was closed or opened. */
  gatesChanged(namespace: string): void
  /** Schedules of the namespace were created or changed: their next due time may be another. */
  schedulesChanged(namespace: string): void
  /** Locks of the namespace were given back. */
  locksChanged(namespace: string): void
  /** Reusable values of the namespace were refreshed. */
  refreshed(namespace: string): void
  /** An attachment on another replica has something to be told. */
  cancelRequested(attachmentId: string): void
  onJob(namespace: string, jobId: string, listener: (hint: JobHint) => void): Subscription
  /** `isOwn`: it was said here. */
  onQueueReady(listener: (namespace: string, method: string, isOwn: boolean) => void): Subscription
  onGatesChanged(listener: () => void): Subscription
  onSchedulesChanged(listener: () => void): Subscription
  onLocksChanged(listener: () => void): Subscription
  onRefreshed(listener: (namespace: string) => void): Subscription
  onCancelRequested(attachmentId: string, listener: () => void): Subscription
}

const NO_PAYLOAD = new Uint8Array()

/** Tells those that come back from those of others. */
const SENDER = 'offstage-sender'

export function createJobEvents(bus: Bus): JobEvents {
  const sender = randomUUID()
  return {
    job(namespace, jobId, what, traceparent) {
      const event = typeof what === 'number' ? STATE_NAMES[what] : what
      const headers = traceparent ? { traceparent } : undefined
      bus.publish(`offstage.v1.${namespace}.jobs.${jobId}.${event}`, NO_PAYLOAD, headers)
    },
    queueReady(namespace, method) {
      const subject = `offstage.v1.${namespace}.queues.${method}.ready`
      bus.publish(subject, NO_PAYLOAD, { [SENDER]: sender })
    },
    gatesChanged(namespace) {
      bus.publish(`offstage.v1.${namespace}.gates.changed`, NO_PAYLOAD)
    },
    schedulesChanged(namespace) {
      bus.publish(`offstage.v1.${namespace}.schedules.changed`, NO_PAYLOAD)
    },
    locksChanged(namespace) {
      bus.publish(`offstage.v1.${namespace}.locks.changed`, NO_PAYLOAD)
    },
    refreshed(namespace) {
      bus.publish(`offstage.v1.${namespace}.refreshes.changed`, NO_PAYLOAD)
    },
    cancelRequested(attachmentId) {
      bus.publish(`offstage.v1.executors.${attachmentId}.cancel`, NO_PAYLOAD)
    },
    onJob(namespace, jobId, listener) {
      return bus.subscribe(`offstage.v1.${namespace}.jobs.${jobId}.*`, ({ subject }) => {
        const event = subject.slice(subject.lastIndexOf('.') + 1)
        listener(event === 'progress' || event === 'messages' ? event : 'state')
      })
    },
    onQueueReady(listener) {
      return bus.subscribe('offstage.v1.*.queues.>', ({ subject, headers }) => {
        const [, , namespace = '', , ...rest] = subject.split('.')
        const isOwn = headers[SENDER] === sender
        if (rest.pop() === 'ready') listener(namespace, rest.join('.'), isOwn)
      })
    },
    onGatesChanged(listener) {
      return bus.subscribe('offstage.v1.*.gates.changed', listener)
    },
    onSchedulesChanged(listener) {
      return bus.subscribe('offstage.v1.*.schedules.changed', listener)
    },
    onLocksChanged(listener) {
      return bus.subscribe('offstage.v1.*.locks.changed', listener)
    },
    onRefreshed(listener) {
      return bus.subscribe('offstage.v1.*.refreshes.changed', ({ subject }) => {
        listener(subject.split('.')[2] ?? '')
      })
    },
    onCancelRequested(attachmentId, listener) {
      return bus.subscribe(`offstage.v1.executors.${attachmentId}.cancel`, listener)
    },
  }
}
