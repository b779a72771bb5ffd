import { createLogger } from '@offstage/kit/telemetry'
import type { ChangedJob, ClaimedJob, RunningJob } from '../domain/held-job.ts'
import { Lane, type SlotLane } from '../domain/lane.ts'
import type { MethodDefinition } from '../domain/method-definition.ts'
import { Attachment } from '../executors/attachment.ts'
import type { Attachments } from '../executors/attachments.ts'
import type { Outgoing } from '../executors/outgoing-frames.ts'
import { attachmentId, session } from './session.ts'

export const silentLog = createLogger({ name: 'test', level: 'silent' })

interface AttachOptions {
  readonly methods?: readonly string[]
  readonly slots?: number
  readonly lane?: SlotLane
}

export interface TestAttachment {
  readonly attachment: Attachment
  /** How often its stream was ended from this side. */
  readonly closed: () => number
  /** What has left for the executor, turn by turn. */
  readonly frames: readonly Outgoing[]
}

export function attach(
  attachments: Attachments | undefined,
  { methods = ['test.job'], slots = 0, lane = Lane.inline }: AttachOptions = {},
): TestAttachment {
  const frames: Outgoing[] = []
  let closed = 0
  const attachment = new Attachment({
    id: attachmentId(),
    ...session(),
    namespace: 'default',
    name: 'test',
    methods: methods.map((name) => ({ name, lane }) as MethodDefinition),
    lanes: [{ lane, slots: 1_000 }],
    pools: [''],
    send: (frame) => frames.push(frame),
    end: () => {
      closed += 1
    },
  })
  attachments?.add(attachment)
  attachment.grant(lane, slots)
  return { attachment, closed: () => closed, frames }
}

export function runningJob(id: string, given: Partial<RunningJob> = {}): RunningJob {
  return {
    id,
    namespace: 'default',
    method: 'test.job',
    owner: 'dev',
    lane: Lane.inline,
    attempt: 1,
    failures: 0,
    key: '',
    parentId: '',
    params: { type: '' },
    labels: undefined,
    traceparent: '',
    options: undefined,
    ...given,
  }
}

export function claimedJob(id: string, holder: string): ClaimedJob {
  return { ...runningJob(id), attachmentId: attachmentId(holder) }
}

export function changedJob(id: string, given: Partial<ChangedJob>): ChangedJob {
  const { namespace, owner, method, key, traceparent } = runningJob(id)
  return {
    id,
    namespace,
    owner,
    method,
    key,
    traceparent,
    state: 2 as ChangedJob['state'],
    completion: undefined,
    ...given,
  }
}
