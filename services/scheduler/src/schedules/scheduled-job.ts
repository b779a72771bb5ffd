/** The job of one due time. */
import { createHash } from 'node:crypto'
import { stringify } from 'uuid'
import { JobKind } from '../domain/job-kind.ts'
import { type Schedule, startAt } from '../domain/schedule.ts'
import { canBeJobId, type StartCommand } from '../domain/start-command.ts'

/**
 * Follows from the schedule and the due time alone, so that no due time ever has two. A UUID of version 7 of the due time: jobs of a schedule
 * are listed in the order of their due times.
 */
export function scheduledJobId(uid: string, due: Date): string {
  return uuidOf(due.getTime(), `${uid} ${due.getTime()}`)
}

/** A UUID of version 7 that follows from a time and a text. */
function uuidOf(time: number, text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16)
  bytes.writeUIntBE(Math.max(0, time), 0, 6)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return stringify(bytes)
}

/** The same for a schedule and a request to trigger it: the id of the job, where that of the request could be one. */
export function triggerRequestId(uid: string, requestId: string): string {
  if (canBeJobId(requestId)) {
    const time = Number.parseInt(requestId.replace('-', '').slice(0, 12), 16)
    return uuidOf(time, `${uid} trigger ${requestId}`)
  }
  return `trigger:${createHash('sha256').update(`${uid} ${requestId}`).digest('hex').slice(0, 40)}`
}

/** With this policy jobs of the schedule run one after the other, by a key. */
export function isSerial({ terms }: Pick<Schedule, 'terms'>): boolean {
  const { overlap } = terms
  return overlap === 'queue-one' || overlap === 'queue-all' || overlap === 'cancel-running'
}

export function scheduledCommand(
  schedule: Pick<Schedule, 'namespace' | 'id' | 'uid' | 'owner' | 'terms'>,
  due: Date,
): StartCommand {
  const { namespace, id, uid, owner, terms } = schedule
  const start = startAt(id, terms.job, due)
  const serial = isSerial(schedule)
  return {
    ...start,
    key: start.key || (serial ? `offstage.schedule:${uid}` : ''),
    keyConflict: serial ? 'queue-behind' : start.keyConflict,
    namespace,
    owner,
    admin: false,
    seesOthers: false,
    kind: JobKind.scheduled,
    requestId: '',
    parentId: '',
    startTime: undefined,
    delayMs: 0,
    traceparent: '',
  }
}
