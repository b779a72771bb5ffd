/** A schedule: an object of its own that creates a job at each due time (rows K1 to K3). */
import type { Timing } from './due-times.ts'
import type { StartCommand } from './start-command.ts'

/** What to do at a due time while jobs of the schedule are unfinished. */
export type OverlapPolicy = 'skip' | 'queue-one' | 'queue-all' | 'allow' | 'cancel-running'

/** The job to create; who starts it and when is the schedule's to say. */
export type ScheduledStart = Pick<
  StartCommand,
  'method' | 'params' | 'lane' | 'priority' | 'pool' | 'key' | 'keyConflict' | 'labels' | 'options'
>

/** What its owner says of it. */
export interface ScheduleTerms {
  readonly job: ScheduledStart
  readonly timing: Timing
  readonly overlap: OverlapPolicy
  /** Due times that were missed longer ago are passed over. */
  readonly catchUpMs: number
  /** Of the others the newest so many are made up for. */
  readonly catchUpMax: number
  /** 0: never. */
  readonly pauseAfterFailures: number
}

export interface ScheduleKey {
  readonly namespace: string
  /** Unique in the namespace. */
  readonly id: string
}

export interface Schedule extends ScheduleKey {
  /** Of this one and of none that is created under its id later: the ids of its jobs follow from it. */
  readonly uid: string
  readonly owner: string
  readonly creator: string
  /** Those its jobs are started in. */
  readonly roles: readonly string[]
  readonly requestId: string
  /** Grows with each change. */
  readonly revision: number
  readonly terms: ScheduleTerms
  /** What is stored of them cannot be read: they are none, and it does nothing here. */
  readonly unreadable?: string | undefined
  readonly predefined: boolean
  /** Why it is paused; undefined while it is not. */
  readonly pauseReason: string | undefined
  /** Undefined while it is paused, and at its end. */
  readonly dueTime: Date | undefined
  readonly lastDueTime: Date | undefined
  readonly lastJobId: string
  readonly failuresInRow: number
  /** Its jobs that had not ended when they were looked at last, oldest first. */
  readonly openJobs: readonly string[]
  readonly createTime: Date
  readonly updateTime: Date
}

/** Labels of its jobs: the id of the schedule, and the due time. */
export const SCHEDULE_LABEL = 'offstage.schedule'
export const DUE_TIME_LABEL = 'offstage.due_time'

const DUE_TIME = '{{offstage.due_time}}'

/** The job of one due time, which its texts may refer to. */
export function startAt(id: string, job: ScheduledStart, due: Date): ScheduledStart {
  const time = due.toISOString()
  const told = (text: string) => text.replaceAll(DUE_TIME, time)
  const labels = Object.entries(job.labels ?? {}).map(([name, value]) => [name, told(value)])
  const { params, options } = job
  const displayName = options?.displayName && told(options.displayName)
  return {
    ...job,
    key: told(job.key),
    params:
      params.inline && params.type === '' ? { ...params, inline: toldIn(params.inline) } : params,
    labels: { ...Object.fromEntries(labels), [SCHEDULE_LABEL]: id, [DUE_TIME_LABEL]: time },
    options: displayName ? { ...options, displayName } : options,
  }

  function toldIn(json: Uint8Array): Uint8Array {
    const text = new TextDecoder().decode(json)
    return text.includes(DUE_TIME) ? new TextEncoder().encode(told(text)) : json
  }
}
